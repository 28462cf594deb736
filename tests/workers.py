"""Workers of a cluster on this machine."""

import json
import socket


def cluster(count):
    """The `TF_CONFIG` of each of some workers, which meet at ports that are free."""
    ports = []
    for _ in range(count):
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            ports.append(free.getsockname()[1])
    workers = {"worker": [f"127.0.0.1:{port}" for port in ports]}
    return [
        json.dumps({"cluster": workers, "task": {"type": "worker", "index": index}})
        for index in range(count)
    ]
