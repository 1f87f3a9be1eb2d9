"""Answers SQL with DuckDB, for comparison: reads one JSON request from stdin, prints one JSON answer.

Request: {"setup": [sql, ...], "asks": [{"sql": ..., "params": {...}}, ...]}. Answer: one list of rows per ask; cells are
JSON values, times as 2020-08-14T17:31:02.000000 with Z where the type has a zone, bytes as 0x...
"""

import datetime
import decimal
import json
import sys

import duckdb

connection = duckdb.connect()
connection.execute("SET TimeZone = 'UTC'")
# The two functions of PostgreSQL and DataFusion that DuckDB lacks.
connection.execute("CREATE MACRO encode(bytes, form) AS lower(hex(bytes))")
connection.execute("CREATE MACRO decode(digits, form) AS unhex(digits)")


def cell(value):
    if isinstance(value, (bytes, bytearray)):
        return "0x" + value.hex()
    if isinstance(value, datetime.datetime):
        return value.isoformat(timespec="microseconds")
    if isinstance(value, decimal.Decimal):
        return int(value) if value == int(value) else float(value)
    if isinstance(value, float) and value != value:
        return "NaN"
    return value


def ask(sql, params):
    connection.execute("CREATE OR REPLACE TEMP TABLE answer AS " + sql, params)
    columns = connection.execute("DESCRIBE answer").fetchall()
    # A timestamp with zone leaves Python-DuckDB only with another package; its UTC civil time does not.
    zoned = [column[1] == "TIMESTAMP WITH TIME ZONE" for column in columns]
    picks = [
        'CAST("%s" AS TIMESTAMP)' % column[0] if zone else '"%s"' % column[0]
        for column, zone in zip(columns, zoned)
    ]
    rows = connection.execute("SELECT " + ", ".join(picks) + " FROM answer").fetchall()
    return [
        [cell(value) + "Z" if zone and value is not None else cell(value) for value, zone in zip(row, zoned)]
        for row in rows
    ]


request = json.load(sys.stdin)
for statement in request["setup"]:
    connection.execute(statement)
answers = []
for question in request["asks"]:
    try:
        answers.append(ask(question["sql"], question.get("params") or None))
    except duckdb.Error as error:
        answers.append("error: " + str(error).splitlines()[0])
json.dump(answers, sys.stdout)
