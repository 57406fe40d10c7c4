/** Settings of result stores that are not here yet: known by name, so that a config file may carry them. */
import { anyText, flag, list, mapping, number, option, optional, text, whole } from '../option.ts'

const planned = { planned: true } as const
const secret = { planned: true, secret: true } as const
const name = option(optional(text), undefined, 'Name, path or address.', planned)
const credential = option(optional(anyText), undefined, 'Credential.', secret)
const settings = option(optional(mapping), undefined, 'Settings of the store.', secret)
const options = option(mapping, {}, 'Options of the client.', planned)
const maybeSeconds = option(optional(number(0)), undefined, 'Seconds.', planned)
const count = (fallback: number) => option(whole(0), fallback, 'Number.', planned)

export const storeOptions = {
  cacheBackend: option(
    optional(text),
    undefined,
    "What `resultBackend: 'cache'` means: `memcached://host:port;host:port/` or `memory://`.",
  ),
  cacheBackendOptions: option(
    mapping,
    {},
    "Options of the client of Memcached: `socketTimeout`, `username`, `password`; others of Python's libraries are passed over.",
    { secret: true },
  ),

  cassandraEntryTtl: maybeSeconds,
  cassandraKeyspace: name,
  cassandraPort: option(optional(whole(1)), undefined, 'Port.', planned),
  cassandraReadConsistency: name,
  cassandraWriteConsistency: name,
  cassandraServers: option(optional(list(text)), undefined, 'Hosts.', planned),
  cassandraBundlePath: name,
  cassandraSecureBundlePath: name,
  cassandraTable: name,
  cassandraAuthProvider: name,
  cassandraAuthKwargs: settings,
  cassandraOptions: options,

  s3AccessKeyId: credential,
  s3SecretAccessKey: credential,
  s3Bucket: name,
  s3BasePath: name,
  s3EndpointUrl: name,
  s3Region: name,

  azureblockblobContainerName: option(text, 'celery', 'Container.', planned),
  azureblockblobRetryInitialBackoffSec: count(2),
  azureblockblobRetryIncrementBase: count(2),
  azureblockblobRetryMaxAttempts: count(3),
  azureblockblobBasePath: option(anyText, '', 'Prefix of keys.', planned),
  azureblockblobConnectionTimeout: count(20),
  azureblockblobReadTimeout: count(120),

  gcsBucket: name,
  gcsProject: name,
  gcsBasePath: option(anyText, '', 'Prefix of keys.', planned),
  gcsTtl: option(number(0), 0, 'Seconds.', planned),
  gcsThreadpoolMaxsize: count(10),
  firestoreProject: name,
  dynamodbEndpointUrl: name,

  couchbaseBackendSettings: settings,
  arangodbBackendSettings: settings,
  mongodbBackendSettings: option(
    optional(mapping),
    undefined,
    'Host, port, user, password, database, taskmetaCollection, groupmetaCollection and options of the driver; they go before the URL.',
    { secret: true },
  ),

  cosmosdbsqlDatabaseName: option(text, 'celerydb', 'Database.', planned),
  cosmosdbsqlCollectionName: option(text, 'celerycol', 'Collection.', planned),
  cosmosdbsqlConsistencyLevel: option(text, 'Session', 'Consistency.', planned),
  cosmosdbsqlMaxRetryAttempts: count(9),
  cosmosdbsqlMaxRetryWaitTime: count(30),

  elasticsearchRetryOnTimeout: option(optional(flag), undefined, 'Try another node.', planned),
  elasticsearchMaxRetries: option(optional(whole(0)), undefined, 'Attempts.', planned),
  elasticsearchTimeout: maybeSeconds,
  elasticsearchSaveMetaAsText: option(flag, true, 'Text instead of JSON.', planned),

  databaseUrl: option(
    optional(anyText),
    undefined,
    'Where the tables of results are, for the backend `database`.',
    { secret: true, oldName: 'CELERY_RESULT_DBURI' },
  ),
  databaseEngineOptions: option(
    mapping,
    {},
    'Of SQLAlchemy: `connectArgs` and `poolRecycle` have a meaning here, the other names none.',
    { oldName: 'CELERY_RESULT_ENGINE_OPTIONS' },
  ),
  databaseEngineCallback: name,
  databaseShortLivedSessions: option(
    flag,
    false,
    'The link to the database is closed whenever nothing is under way on it.',
    { oldName: 'CELERY_RESULT_DB_SHORT_LIVED_SESSIONS' },
  ),
  databaseTableSchemas: option(
    optional(mapping),
    undefined,
    'Schemas of the tables: `task` and `group`.',
  ),
  databaseTableNames: option(
    optional(mapping),
    undefined,
    'Names of the tables: `task` and `group`; else `celery_taskmeta` and `celery_tasksetmeta`.',
    { oldName: 'CELERY_RESULT_DB_TABLENAMES' },
  ),
  databaseCreateTablesAtSetup: option(
    flag,
    true,
    'Tables are made when the backend is opened; else when they are first used.',
  ),
} as const
