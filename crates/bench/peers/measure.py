"""Runs one command and prints what it took, as JSON."""
import json, os, sys, tempfile, time

out, err = tempfile.TemporaryFile(), tempfile.TemporaryFile()
start = time.monotonic()
pid = os.posix_spawnp(
    sys.argv[1],
    sys.argv[1:],
    os.environ,
    file_actions=[
        (os.POSIX_SPAWN_DUP2, out.fileno(), 1),
        (os.POSIX_SPAWN_DUP2, err.fileno(), 2),
    ],
)
_, status, usage = os.wait4(pid, 0)
wall = time.monotonic() - start
texts = []
for stream in (out, err):
    stream.seek(0)
    texts.append(stream.read(1 << 20).decode(errors="replace"))
print(json.dumps({
    "wall_s": wall,
    "cpu_s": usage.ru_utime + usage.ru_stime,
    "rss_bytes": usage.ru_maxrss * 1024,
    "code": os.waitstatus_to_exitcode(status),
    "stdout": texts[0],
    "stderr": texts[1],
}))
