"""Celery as the peer: `celery_app.py enqueue-await|enqueue-bulk|fill COUNT`, or the app of a worker."""
import json
import os
import resource
import sys
import time

from celery import Celery

app = Celery("bench", broker=os.environ["BROKER_URL"], backend=os.environ["BROKER_URL"])
app.conf.worker_prefetch_multiplier = 64
app.conf.broker_connection_retry_on_startup = True


@app.task(name="bench.noop", ignore_result=os.environ.get("STORES") != "1")
def noop():
    return 1


if __name__ == "__main__":
    count = int(sys.argv[2])
    with app.producer_pool.acquire(block=True) as producer:
        noop.apply_async(producer=producer)
        began, cpu = time.perf_counter(), resource.getrusage(resource.RUSAGE_SELF)
        for _ in range(count):
            noop.apply_async(producer=producer)
        seconds, after = time.perf_counter() - began, resource.getrusage(resource.RUSAGE_SELF)
    used = after.ru_utime + after.ru_stime - cpu.ru_utime - cpu.ru_stime
    print(json.dumps({"rate": count / seconds, "cpuUs": used / count * 1e6}))
