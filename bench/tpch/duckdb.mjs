// Runs statements in DuckDB for bench/tpch.py: a line of JSON {"sql": …} in, a line {"seconds": …, "rows": …}
// or {"error": …} out. The time is that of the query and of fetching its rows, as with the other servers.
import { createInterface } from 'node:readline';
import { DuckDBInstance } from '@duckdb/node-api';

const [path, threads] = process.argv.slice(2);
const instance = await DuckDBInstance.create(path, { threads });
const connection = await instance.connect();

for await (const line of createInterface({ input: process.stdin })) {
    let answer;
    try {
        const began = process.hrtime.bigint();
        const reader = await connection.runAndReadAll(JSON.parse(line).sql);
        const rows = reader.getRowsJson();
        answer = { seconds: Number(process.hrtime.bigint() - began) / 1e9, rows };
    } catch (e) {
        answer = { error: String(e.message ?? e) };
    }
    process.stdout.write(JSON.stringify(answer) + '\n');
}
