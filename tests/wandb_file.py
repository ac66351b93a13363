"""Read the file of an offline W&B run: LevelDB's log format around protocol buffers."""

import json
import struct
import time

from wandb.proto import wandb_internal_pb2 as pb

BLOCK, HEADER, FILE_HEADER = 32768, 7, 7


def records(path):
    """Yield the records of a ``run-*.wandb`` file."""
    data, place, held = path.read_bytes(), FILE_HEADER, b""
    while place + HEADER <= len(data):
        if BLOCK - place % BLOCK < HEADER:
            place += BLOCK - place % BLOCK
            continue
        _, length, kind = struct.unpack("<IHB", data[place : place + HEADER])
        held += data[place + HEADER : place + HEADER + length]
        place += HEADER + length
        if kind in (1, 4):  # a whole record, or the last part of one
            yield pb.Record.FromString(held)
            held = b""


def finished(path, patience=30):
    """Return the records of a run once it has ended: the writer is another process."""
    end = time.monotonic() + patience
    while True:
        found = list(records(path))
        if any(record.HasField("exit") for record in found):
            return found
        assert time.monotonic() < end, f"{path} does not end"
        time.sleep(0.1)


def read(path):
    """Return names, config, history, summary and the names of the artifacts of a run."""
    found = {"config": {}, "history": [], "summary": {}, "artifacts": [], "id": None}
    for record in finished(path):
        if record.HasField("run"):
            found["id"] = record.run.run_id
            found |= {"name": record.run.display_name, "group": record.run.run_group}
            for item in record.run.config.update:
                found["config"][item.key] = json.loads(item.value_json)
        elif record.HasField("history"):
            found["history"].append(
                {_key(item): json.loads(item.value_json) for item in record.history.item}
            )
        elif record.HasField("summary"):
            for item in record.summary.update:
                found["summary"][_key(item)] = json.loads(item.value_json)
        elif record.HasField("artifact"):
            found["artifacts"].append(
                (record.artifact.type, [entry.path for entry in record.artifact.manifest.contents])
            )
        elif record.HasField("request") and record.request.HasField("log_artifact"):
            artifact = record.request.log_artifact.artifact
            found["artifacts"].append(
                (artifact.type, [entry.path for entry in artifact.manifest.contents])
            )
    return found


def _key(item):
    return item.key or "/".join(item.nested_key)
