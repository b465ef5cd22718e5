"""The lease in a bucket: the same promises without a file system's."""

import time

import boto3
import pytest
from moto.server import ThreadedMotoServer
from s3fs import S3FileSystem

from data.lease import Lease, LeaseHeld, holder
from data.store import Store


def test_a_bucket_lends_it_to_one_at_a_time(monkeypatch: pytest.MonkeyPatch) -> None:
    server = ThreadedMotoServer(port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    endpoint = f"http://{host}:{port}"
    for name, value in {
        "AWS_ENDPOINT_URL": endpoint,
        "AWS_ACCESS_KEY_ID": "x",
        "AWS_SECRET_ACCESS_KEY": "y",
        "AWS_REGION": "us-east-1",
    }.items():
        monkeypatch.setenv(name, value)
    try:
        boto3.client("s3", region_name="us-east-1").create_bucket(Bucket="pictures")
        S3FileSystem.clear_instance_cache()
        store = Store("s3://pictures/store")
        with Lease(store, "toy", 1.0) as lease:
            with pytest.raises(LeaseHeld), Lease(store, "toy"):
                pass
            first = holder(store, "toy")
            while holder(store, "toy") == first:  # the test's own timeout ends a wait in vain
                time.sleep(0.05)
            lease.check()
        with Lease(store, "toy") as lease:
            assert lease.token == 2
    finally:
        S3FileSystem.clear_instance_cache()
        server.stop()
