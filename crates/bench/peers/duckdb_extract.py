"""stamp, level, component, message, fields of a Prysm log, to Parquet, with DuckDB."""
import sys
import duckdb

shape, log, out = sys.argv[1:4]
NAMES = "['stamp', 'level', 'component', 'message', 'fields']"
if shape == "terminal":
    pattern = r"^\[([^\]]*)\]\s+(\w+)(?: ([\w/-]+):)? (.*?)((?: [A-Za-z][\w/ ]*=.*)?)$"
    extract = f"regexp_extract(line, '{pattern}', {NAMES})"
else:
    pattern = r'^time="([^"]*)" level=(\w+) msg=("[^"]*"|[^ ]*)(.*)$'
    names = "['stamp', 'level', 'message', 'fields']"
    extract = f"regexp_extract(line, '{pattern}', {names})"
con = duckdb.connect()
con.execute("SET preserve_insertion_order = true")
lines = (
    f"read_csv('{log}', columns = {{'line': 'VARCHAR'}}, delim = '\x01', quote = '', escape = '', "
    "header = false, auto_detect = false)"
)
component = "r.component" if shape == "terminal" else (
    r"""regexp_extract(r.fields, ' prefix=("[^"]*"|[^ ]*)', 1) AS component"""
)
con.execute(
    f"COPY (SELECT TRY_CAST(r.stamp AS TIMESTAMP) AS stamp, r.level, {component}, r.message, r.fields "
    f"FROM (SELECT {extract} AS r FROM {lines})) TO '{out}' (FORMAT parquet, COMPRESSION zstd)"
)
print(con.execute(f"SELECT count(*), count(stamp) FROM '{out}'").fetchone())
