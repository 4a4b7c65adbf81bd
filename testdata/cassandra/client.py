"""Drives the server with the Python driver: keyspaces and answers in another order."""
import sys
from cassandra import ConsistencyLevel
from cassandra.auth import PlainTextAuthProvider
from cassandra.cluster import Cluster, ExecutionProfile, EXEC_PROFILE_DEFAULT
from cassandra.query import BatchStatement, BatchType, SimpleStatement

version, keyspace = int(sys.argv[1]), sys.argv[2]
profile = ExecutionProfile(consistency_level=ConsistencyLevel.QUORUM, request_timeout=10)
cluster = Cluster(["127.0.0.1"], protocol_version=version, execution_profiles={EXEC_PROFILE_DEFAULT: profile}, compression=False,
                  auth_provider=PlainTextAuthProvider("shop", "open sesame"), schema_metadata_enabled=False, token_metadata_enabled=False)
session = cluster.connect(keyspace)


def told(query, rows, status="OK"):
    print(query[:60], rows, status, sep="\t")


def run(query, *values):
    try:
        rows = list(session.execute(query, values or None))
        told(query, len(rows))
    except Exception as e:
        told(query, 0, {"InvalidRequest": "0x2200", "SyntaxException": "0x2000"}[type(e).__name__])


run("select id, name from items limit 4")
run("select id, name from missing")
run("selekt")
prepared = session.prepare("select id, name from items where id = ? limit 5")
for i in range(3):
    told(prepared.query_string, len(list(session.execute(prepared, [str(i)]))))
futures = [(q, session.execute_async(SimpleStatement(q))) for q in
           ["select id, name from shop.later limit 9"] + ["select id, name from items limit %d" % (20 + i) for i in range(6)]]
for q, f in futures:
    told(q, len(list(f.result())))
batch = BatchStatement(BatchType.LOGGED)
for i in range(2):
    batch.add(SimpleStatement("insert into items (id) values (%d)" % i))
session.execute(batch)
told("insert into items (id) values (0)", 0)
cluster.shutdown()
