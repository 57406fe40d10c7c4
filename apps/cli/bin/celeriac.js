#!/usr/bin/env node
// Committed, unlike dist: npm links a command only when its file is there at the time of installing.
import '../dist/bin.js'
