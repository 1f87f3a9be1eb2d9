"""stamp, level, component, message, fields of a Prysm log, to Parquet, with polars."""
import sys
import polars as pl

shape, log, out = sys.argv[1:4]
if shape == "terminal":
    pattern = r"^\[(?<stamp>[^\]]*)\]\s+(?<level>\w+)(?: (?<component>[\w/-]+):)? (?<message>.*?)(?<fields>(?: [A-Za-z][\w/ ]*=.*)?)$"
else:
    pattern = r'^time="(?<stamp>[^"]*)" level=(?<level>\w+) msg=(?<message>"[^"]*"|[^ ]*)(?<fields>.*)$'
lines = pl.scan_csv(
    log, separator="\x01", quote_char=None, has_header=False, new_columns=["line"],
    schema={"line": pl.String},
)
frame = lines.select(pl.col("line").str.extract_groups(pattern).alias("r")).unnest("r")
if shape != "terminal":
    frame = frame.with_columns(
        pl.col("fields").str.extract(r' prefix=("[^"]*"|[^ ]*)', 1).alias("component")
    )
frame = frame.with_columns(
    pl.col("stamp").str.to_datetime("%Y-%m-%d %H:%M:%S", strict=False)
)
frame.select("stamp", "level", "component", "message", "fields").sink_parquet(out, compression="zstd")
rows = pl.scan_parquet(out).select(pl.len(), pl.col("stamp").count().alias("stamps")).collect().row(0)
print(rows)
