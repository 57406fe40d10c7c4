"""Celery as the peer of the canvas bench: `canvas_celery.py CASE COUNT`, or the app of a worker."""
import json
import os
import sys
import time

from celery import Celery, chain, chord, group

app = Celery("canvas_celery", broker=os.environ["BROKER_URL"], backend=os.environ["BROKER_URL"])
app.conf.worker_prefetch_multiplier = 64
app.conf.broker_connection_retry_on_startup = True
sys.setrecursionlimit(100000)


@app.task(name="bench.one")
def one(x):
    return x


@app.task(name="bench.size")
def size(values):
    return len(values)


@app.task(name="bench.add")
def add(x):
    return x + 1


def run(case, count):
    members = [one.s(i) for i in range(count)]
    if case == "chord":
        return chord(members)(size.s()).get(timeout=600)
    if case == "group":
        return len(group(members).apply_async().get(timeout=600))
    if case == "chain":
        return chain(add.s(0), *[add.s() for _ in range(count - 1)]).apply_async().get(timeout=600)
    took = []
    for i in range(count):
        if case == "idle":
            time.sleep(0.01)
        began = time.perf_counter()
        one.delay(i).get(timeout=60)
        took.append(time.perf_counter() - began)
    return took


if __name__ == "__main__":
    case, count = sys.argv[1], int(sys.argv[2])
    one.delay(0).get(timeout=60)
    began, cpu = time.perf_counter(), time.process_time()
    found = run(case, count)
    seconds, used = time.perf_counter() - began, time.process_time() - cpu
    if case in ("latency", "idle"):
        found.sort()
        at = lambda share: found[int(len(found) * share)]
        print(json.dumps({"seconds": at(0.5), "p99": at(0.99), "cpuSeconds": used}))
    else:
        assert found == count, found
        print(json.dumps({"seconds": seconds, "cpuSeconds": used}))
