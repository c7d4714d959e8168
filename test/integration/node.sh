#!/bin/sh
# node: buffers, strings, worker threads that send each other memory.
. "$(dirname "$0")/lib.sh"
need node
check_bound node -e 0

cat >script.js <<'END'
const { Worker, isMainThread, parentPort, workerData } =
    require('worker_threads');
const crypto = require('crypto'), zlib = require('zlib'), fs = require('fs');

function work(seed) {
	const hash = crypto.createHash('sha256');
	let kept = [];
	for (let i = 0; i < 3000; i++) {
		const b = Buffer.alloc(1 + (i * seed * 37) % 20000, i & 255);
		kept.push(b);
		if (kept.length > 300)
			hash.update(kept.splice((i * 7) % 300, 1)[0]);
	}
	const packed = zlib.deflateSync(Buffer.concat(kept));
	if (!zlib.inflateSync(packed).equals(Buffer.concat(kept)))
		throw new Error('zlib');
	return hash.digest('hex');
}

if (isMainThread) {
	const maps = fs.readFileSync('/proc/self/maps', 'utf8');
	if (process.env.LD_PRELOAD && !maps.includes(process.env.LD_PRELOAD))
		throw new Error('not loaded');
	const jobs = [];
	for (let n = 1; n <= 6; n++)
		jobs.push(new Promise((done, failed) => {
			const w = new Worker(__filename, { workerData: n });
			let all = [];
			w.on('message', m => all.push(typeof m === 'string' ? m :
			    m.byteLength));
			w.on('error', failed);
			w.on('exit', code => done(all.join(' ') + ' ' + code));
		}));
	Promise.all(jobs).then(lines => {
		for (const line of lines)
			console.log(line);
		console.log(work(5));
	});
} else {
	for (let i = 0; i < 20; i++) {
		const a = new Uint8Array(100000 + i).fill(i);
		parentPort.postMessage(a.buffer, [a.buffer]);
	}
	parentPort.postMessage(work(workerData));
}
END
same node script.js
[ "$ours" -eq 0 ] || fail 'node failed, with and without the library'
