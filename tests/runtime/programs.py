"""Real programs under `cpprof run`, each with its own load: same output, no crash, and the process that does the work is profiled.

Each function at the end is a case, named after the program; --only NAME runs one. Those that are not installed are skipped.
"""

import glob
import hashlib
import http.client
import os
import shutil
import signal
import socket
import subprocess
import sys
import threading

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import programs_bed as beds  # noqa: E402
from life_bed import PATIENCE, Skipped, free_port, require, wait_until  # noqa: E402

HERE = os.path.dirname(os.path.abspath(__file__))


def write(path, text):
    with open(path, "w", encoding="utf-8") as file:
        file.write(text)
    return path


def converse(way, *words, script=None):
    """Starts a program that says "ready" and then reads its input until the end; what it answered."""
    process = way.start(*words)
    with way.asked(process.pid):
        if script:
            process.write(script)
        process.await_line("ready")
    way.profiled(process.pid, os.path.basename(words[0])[:15])
    way.address_answers()
    return process.end()


def plainly(*words):
    """What a client says; it is not under the library."""
    done = subprocess.run([str(word) for word in words], capture_output=True, text=True, check=False, stdin=subprocess.DEVNULL, timeout=PATIENCE)
    return "status %d\n%s%s" % (done.returncode, done.stdout, done.stderr)


def listens(port):
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def text_of(path):
    """"" if it is not there yet."""
    try:
        with open(path, encoding="utf-8") as file:
            return file.read()
    except OSError:
        return ""


def pid_in(path):
    """The number in a pid file, 0 = not there yet."""
    return int(text_of(path) or 0)


def ended(pid):
    wait_until(lambda: not beds.is_alive(pid), "for the end of pid %d" % pid)


# --- programs that do something and end ---------------------------------------------------------------------------------

PYTHON_SCRIPT = """
import concurrent.futures, ctypes, hashlib, json, multiprocessing, os, queue, signal, socket, subprocess, sys, threading, time, zlib
work = queue.Queue(5)
done = []
def worker():
    while (item := work.get()) is not None:
        done.append(hashlib.sha256(zlib.compress(b"%d" % item * 1000)).hexdigest())
threads = [threading.Thread(target=worker) for _ in range(6)]
for thread in threads: thread.start()
for item in range(300): work.put(item)
for _ in threads: work.put(None)
for thread in threads: thread.join()
print(hashlib.sha256("".join(sorted(done)).encode()).hexdigest())
print(subprocess.run(["sh", "-c", "echo child; exit 3"], capture_output=True))
signal.signal(signal.SIGALRM, lambda *_: print("alarm"))
signal.setitimer(signal.ITIMER_REAL, 0.05)
time.sleep(0.2)
a, b = socket.socketpair()
a.settimeout(0.05)
try: a.recv(1)
except TimeoutError as late: print(repr(late))
with multiprocessing.get_context("fork").Pool(3) as pool: print(sum(pool.map(abs, range(-500, 500))))
with concurrent.futures.ThreadPoolExecutor(4) as pool: print(len(list(pool.map(lambda n: json.dumps(list(range(n))), range(200)))))
pid = os.fork()
if pid == 0: os._exit(7)
print(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]), ctypes.CDLL(None).strlen(b"four"), sorted(os.listdir("/proc/self/fd")))
try: os.waitpid(-1, 0)
except ChildProcessError as nobody: print(repr(nobody))
print("ready", flush=True)
sys.stdin.read()
sys.exit(5)
"""

BASH_SCRIPT = r"""
trap 'echo trapped' USR1
for i in {1..20}; do (echo "$i" | tr 0-9 a-j); done | sort | md5sum
diff <(seq 100) <(seq 2 101); echo "diff: $?"
coproc cat; echo through >&"${COPROC[1]}"; read -r line <&"${COPROC[0]}"; echo "$line"
exec {COPROC[1]}>&-; wait
sleep 0.2 & kill -USR1 $$; wait $!; echo "sleep: $?"
(exit 9); echo "subshell: $?"
read -r -t 0.05 _ < <(sleep 0.2); echo "late: $?"
sh -c 'kill -TERM $$'; echo "killed: $?"
declare -A map; for ((i = 0; i < 3000; i++)); do map[$i]=$((i * i)); done; echo "${#map[@]} ${map[2999]}"
ulimit -n; umask; ls /proc/self/fd | wc -l
cat <<TEXT
$(printf '%s-' a b c)
TEXT
echo ready
read -r -d ''
exit 4
"""

SQL_SCRIPT = """
create table t(a integer primary key, b text, c real);
with recursive r(i) as (select 1 union all select i + 1 from r where i < 100000)
  insert into t select i, 'row-' || ((i * 7919) % 100000) || hex(i), i * 1.5 from r;
create index ti on t(b);
select count(*), sum(length(b)), max(c) from t;
select substr(b, 1, 6), count(*) from t group by 1 order by 2 desc, 1 limit 5;
delete from t where a % 3 = 0; vacuum; pragma integrity_check;
select json_group_array(a) from (select a from t where b like 'row-99%' order by a limit 20);
select nonsense;
.print ready
"""

NODE_SCRIPT = """
const { Worker, isMainThread, parentPort } = require('worker_threads');
const crypto = require('crypto'), http = require('http'), fs = require('fs'), zlib = require('zlib'), child = require('child_process');
async function main() {
  const workers = await Promise.all([1, 2, 3].map(n => new Promise((resolve, reject) => {
    const worker = new Worker(`const { parentPort } = require('worker_threads'); let s = 0; for (let i = 0; i < 3e6; i++) s += i % ${n + 1}; parentPort.postMessage(s);`,
                              { eval: true });
    worker.on('message', resolve).on('error', reject);
  })));
  console.log(workers.join());
  const keys = await Promise.all([1, 2, 3, 4].map(n => new Promise(resolve => crypto.pbkdf2('secret', 'salt' + n, 20000, 32, 'sha256', (_, key) => resolve(key.toString('hex'))))));
  console.log(keys.join());
  const server = http.createServer((request, response) => response.end(zlib.gzipSync('x'.repeat(100000))));
  await new Promise(resolve => server.listen(0, '127.0.0.1', resolve));
  for (let i = 0; i < 50; i++) {
    const body = await new Promise(resolve => http.get({ port: server.address().port, host: '127.0.0.1' }, response => {
      const parts = []; response.on('data', part => parts.push(part)).on('end', () => resolve(Buffer.concat(parts)));
    }));
    if (i === 49) console.log(zlib.gunzipSync(body).length);
  }
  server.close();
  console.log(String(child.execSync('echo child')), child.spawnSync('sh', ['-c', 'exit 6']).status, fs.readdirSync('/').includes('proc'));
  console.log('ready');
  process.stdin.resume().on('end', () => process.exit(3));
}
main();
"""


def python3(bed):
    """python3: threads, fork, children, timers, sockets"""
    path = beds.need("python3")
    bed.compare(lambda way: converse(way, path, "-c", PYTHON_SCRIPT))


def bash(bed):
    """bash: subshells, pipes, jobs, traps"""
    path = beds.need("bash")
    bed.compare(lambda way: converse(way, path, "-c", BASH_SCRIPT))


def sqlite3(bed):
    """sqlite3: a script of SQL"""
    path = beds.need("sqlite3")
    bed.compare(lambda way: converse(way, path, ":memory:", script=SQL_SCRIPT))


def node(bed):
    """node: worker threads, its thread pool, a server and its client"""
    path = beds.need("node")
    bed.compare(lambda way: converse(way, path, "-e", NODE_SCRIPT))


def cxx(bed):
    """a C++ program: exceptions, threads, futures, streams"""
    compiler = beds.need("c++")
    program = os.path.join(bed.saved, "programs_cxx")
    subprocess.run([compiler, "-std=c++17", "-O2", "-g", "-pthread", os.path.join(HERE, "programs_cxx.cpp"), "-o", program], check=True)
    bed.compare(lambda way: converse(way, program))


def gcc(bed):
    """gcc: the compiler proper, a child of the driver, is profiled; the objects are the same"""
    driver = beds.need("gcc")
    functions = ["int f%d(int x) { int s = %d; for (int i = 0; i < x; i++) s += a[i & 7] ^ i; return s; }\n" % (n, n) for n in range(400)]
    source = "extern int a[8];\n" + "".join(functions) + "#warning seen\n"

    def play(way):
        compiler = way.start(driver, "-O2", "-x", "c", "-c", "-o", way.path("out.o"), "-")
        compiler.write(source)
        # It is the child that reads: there it waits for the rest.
        proper = wait_until(lambda: [pid for pid in beds.descendants_of(compiler.pid) if name_of(pid) == "cc1"], "for cc1")[0]
        way.profiled(proper, "cc1")
        answer = compiler.end()
        with open(way.path("out.o"), "rb") as out:
            return answer + hashlib.sha256(out.read()).hexdigest()

    bed.compare(play)


def name_of(pid):
    return text_of("/proc/%d/comm" % pid).strip()


# --- servers ------------------------------------------------------------------------------------------------------------

def load_redis(port):
    """What redis-cli is answered; a benchmark in between."""
    client, benchmark = beds.need("redis-cli", "redis-benchmark")
    cli = [client, "-p", port]
    said = [plainly(*cli, "eval", "for i = 1, 20000 do redis.call('set', 'key:' .. i, string.rep('x', i % 500)) end return redis.call('dbsize')", 0)]
    require(plainly(benchmark, "-p", port, "-q", "-n", 20000, "-P", 16, "-c", 20, "-r", 5000, "-t", "set,get,lpush,incr").startswith("status 0\n"),
            "redis-benchmark failed")
    for words in (["rpush", "list", *range(100)], ["lrange", "list", 0, -1], ["incrby", "n", 41], ["zadd", "z", 3, "c", 1, "a"], ["zrange", "z", 0, -1],
                  ["blpop", "none", 0.05], ["xadd", "s", "1-1", "f", "v"], ["flushall"], ["set", "kept", "yes"], ["get", "kept"], ["nonsense"]):
        said.append(plainly(*cli, *words))
    said.append(plainly(*cli, "bgsave"))
    wait_until(lambda: "rdb_bgsave_in_progress:0" in plainly(*cli, "info", "persistence"), "for the background save")
    require("rdb_last_bgsave_status:ok" in plainly(*cli, "info", "persistence"), "the background save failed")
    return "".join(said)


def redis(bed):
    """redis-server: in the foreground, with a background save"""
    server, client = beds.need("redis-server", "redis-cli")

    def play(way):
        port = free_port()
        process = way.start(server, "--port", port, "--bind", "127.0.0.1", "--save", "", "--dir", way.directory, "--logfile", way.path("log"))
        wait_until(lambda: listens(port) or process.process.poll() is not None, "for redis-server")
        way.profiled(process.pid, "redis-server")
        way.address_answers()
        with way.asked(process.pid):
            answer = load_redis(port)
        plainly(client, "-p", port, "shutdown", "nosave")
        return answer + process.end()

    bed.compare(play)


def redis_daemon(bed):
    """redis-server as a daemon: the process that stays is profiled and has the address"""
    server, client = beds.need("redis-server", "redis-cli")

    def play(way):
        port, pid_file = free_port(), way.path("pid")
        started = way.start(server, "--port", port, "--bind", "127.0.0.1", "--save", "", "--dir", way.directory, "--logfile", way.path("log"),
                            "--daemonize", "yes", "--pidfile", pid_file)
        answer = started.end()
        pid = way.stray(wait_until(lambda: pid_in(pid_file), "for the pid file"))
        wait_until(lambda: listens(port), "for redis-server")
        with way.asked(pid):
            answer += load_redis(port)
        way.profiled(pid, "redis-server")
        way.address_answers()
        plainly(client, "-p", port, "shutdown", "nosave")
        ended(pid)
        return answer

    bed.compare(play)


NGINX_CONFIGURATION = """
%(user)s
daemon %(daemon)s;
worker_processes 2;
pid %(directory)s/pid;
error_log %(directory)s/error.log;
events { worker_connections 128; }
http {
  access_log %(directory)s/access.log;
  client_body_temp_path %(directory)s/body;
  proxy_temp_path %(directory)s/proxy;
  fastcgi_temp_path %(directory)s/fastcgi;
  uwsgi_temp_path %(directory)s/uwsgi;
  scgi_temp_path %(directory)s/scgi;
  gzip on;
  server {
    listen 127.0.0.1:%(port)d;
    root %(directory)s/files;
    location /again/ { proxy_pass http://127.0.0.1:%(port)d/; }
  }
}
"""


def fetch(port, path):
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=PATIENCE)
    connection.request("GET", path)
    answer = connection.getresponse()
    body = answer.read()
    connection.close()
    return "%s %d %s\n" % (path, answer.status, hashlib.sha256(body).hexdigest())


def load_nginx(port):
    """What 8 clients are answered."""
    answers = [""] * 8

    def client(number):
        for _ in range(15):
            answers[number] += "".join(fetch(port, path) for path in ("/small", "/large", "/none", "/again/large"))

    clients = [threading.Thread(target=client, args=(number,)) for number in range(len(answers))]
    for thread in clients:
        thread.start()
    for thread in clients:
        thread.join()
    return "".join(answers)


def reload_nginx(way, master, pids):
    """Other workers take over, and are profiled."""
    os.kill(master, signal.SIGHUP)

    def others():
        now = beds.children_of(master)
        return now if len(now) == 2 and not set(now) & set(pids) else None

    for pid in wait_until(others, "for new workers"):
        way.profiled(pid, "nginx")


def play_nginx(way, daemon):
    server = beds.need("nginx")
    port = free_port()
    os.mkdir(way.path("files"))
    write(way.path("files/small"), "small\n")
    write(way.path("files/large"), "".join("line %d\n" % number for number in range(50000)))
    user = "user nobody nogroup;" if os.geteuid() == 0 else ""
    values = {"user": user, "daemon": "on" if daemon else "off", "directory": way.directory, "port": port}
    started = way.start(server, "-c", write(way.path("conf"), NGINX_CONFIGURATION % values), "-e", way.path("error.log"))
    answer = started.end() if daemon else ""
    master = wait_until(lambda: pid_in(way.path("pid")) or (not daemon and started.process.poll() is not None), "for the pid file")
    if daemon:
        way.stray(master)
    else:
        started.require_alive()
    pids = wait_until(lambda: len(beds.children_of(master)) == 2 and beds.children_of(master), "for two workers")
    with way.asked(master, *pids):
        answer += load_nginx(port)
    for pid in [master, *pids]:
        way.profiled(pid, "nginx")
    way.address_answers()
    reload_nginx(way, master, pids)
    answer += load_nginx(port)
    way.address_answers()
    os.kill(master, signal.SIGQUIT)
    if daemon:
        ended(master)
    else:
        answer += started.end()
    with open(way.path("error.log"), encoding="utf-8") as log:
        errors = [line for line in log if "[error]" not in line and "[notice]" not in line]  # [error]: the file /none
    return answer + "".join(errors)


def nginx(bed):
    """nginx: master and workers, before and after a reload, are profiled each at its own pid"""
    beds.need("nginx")
    bed.compare(lambda way: play_nginx(way, daemon=False))


def nginx_daemon(bed):
    """nginx as a daemon, with a reload"""
    beds.need("nginx")
    bed.compare(lambda way: play_nginx(way, daemon=True))


class Memcached:
    """A client."""

    def __init__(self, port):
        self.stream = socket.create_connection(("127.0.0.1", port), PATIENCE).makefile("rwb")

    def ask(self, text, end=(b"STORED\r\n", b"END\r\n", b"ERROR\r\n", b"OK\r\n", b"DELETED\r\n", b"NOT_FOUND\r\n")):
        self.stream.write(text.encode())
        self.stream.flush()
        answer = b""
        while True:
            line = self.stream.readline()
            answer += line
            if line in end or not line:
                return answer.decode()


def load_memcached(port):
    answers = [""] * 6

    def client(number):
        connection = Memcached(port)
        for index in range(400):
            key, value = "key%d-%d" % (number, index), "v" * (index * 7 % 3000)
            answers[number] += connection.ask("set %s 0 0 %d\r\n%s\r\n" % (key, len(value), value))
            answers[number] += hashlib.sha256(connection.ask("get %s\r\n" % key).encode()).hexdigest() + "\n"
            if index % 5 == 0:
                answers[number] += connection.ask("delete %s\r\n" % key) + connection.ask("get %s\r\n" % key)
        answers[number] += connection.ask("nonsense\r\n")

    clients = [threading.Thread(target=client, args=(number,)) for number in range(len(answers))]
    for thread in clients:
        thread.start()
    for thread in clients:
        thread.join()
    return "".join(answers)


def play_memcached(way, daemon):
    server, port, pid_file = beds.need("memcached"), free_port(), way.path("pid")
    words = [server, "-l", "127.0.0.1", "-p", port, "-U", 0, "-t", 4] + (["-u", "nobody"] if os.geteuid() == 0 else [])
    process = way.start(*words, *(["-d", "-P", pid_file] if daemon else []))
    answer = process.end() if daemon else ""
    wait_until(lambda: listens(port) or not daemon and process.process.poll() is not None, "for memcached")
    pid = way.stray(wait_until(lambda: pid_in(pid_file), "for the pid file")) if daemon else process.pid
    answer += load_memcached(port)
    way.profiled(pid, "memcached")
    way.address_answers()
    with way.asked(pid):
        answer += load_memcached(port)
    os.kill(pid, signal.SIGTERM)
    if daemon:
        ended(pid)
        return answer
    return answer + process.end()


def memcached(bed):
    """memcached: its worker threads"""
    beds.need("memcached")
    bed.compare(lambda way: play_memcached(way, daemon=False))


def memcached_daemon(bed):
    """memcached as a daemon that has dropped root"""
    beds.need("memcached")
    bed.compare(lambda way: play_memcached(way, daemon=True))


POSTGRES_SCRIPT = """
create table t as select i, md5(i::text) as m from generate_series(1, 60000) i;
create index on t(m);
analyze t;
set parallel_setup_cost = 0; set parallel_tuple_cost = 0; set min_parallel_table_scan_size = 0;
select count(*), sum(length(m)), min(m), max(m) from t;
select left(m, 1), count(*) from t group by 1 order by 1;
reset all;
update t set m = md5(m) where i % 7 = 0;
vacuum t;
select pg_sleep(0.1);
set statement_timeout = '50ms';
select pg_sleep(5);
reset statement_timeout;
select nonsense;
create function f(n int) returns int language plpgsql as $$ begin return n / 0; exception when division_by_zero then return -1; end $$;
select f(1);
listen channel; notify channel, 'hello';
"""


def postgres_programs():
    for directory in sorted(glob.glob("/usr/lib/postgresql/*/bin"), reverse=True):
        if os.access(os.path.join(directory, "initdb"), os.X_OK):
            return directory
    raise Skipped("postgresql is not installed")


def postgres_user():
    """None, or whom to become: initdb refuses to be run by root."""
    return "nobody" if os.geteuid() == 0 else None


def make_cluster(bed, directory):
    """A database made plainly, and copied for each way."""
    path, user = os.path.join(bed.directory, "cluster"), postgres_user()
    os.mkdir(path)
    if user:
        shutil.chown(path, user)
    identity = {"user": user, "group": "nogroup", "extra_groups": []} if user else {}
    subprocess.run([os.path.join(directory, "initdb"), "-D", path, "-A", "trust", "-U", "tester", "-N", "--locale=C", "-E", "UTF8"], check=True,
                   stdout=subprocess.DEVNULL, env={"PATH": "/usr/bin:/bin"}, cwd="/", **identity)
    return path


def play_postgres(way, directory, cluster):
    port, user, data = free_port(), postgres_user(), way.path("data")
    subprocess.run(["cp", "-a", cluster, data], check=True)
    server = way.start(os.path.join(directory, "postgres"), "-D", data, "-p", port, "-k", way.directory, "-c", "listen_addresses=127.0.0.1",
                       "-c", "log_min_messages=fatal", "-c", "log_min_error_statement=fatal", "-c", "fsync=off", user=user)
    psql = [beds.need("psql"), "-X", "-h", "127.0.0.1", "-p", str(port), "-U", "tester", "-d", "postgres", "-At"]
    # Not by asking: that it is starting up would be logged, or not.
    wait_until(lambda: server.process.poll() is not None or "\nready" in text_of(os.path.join(data, "postmaster.pid")), "for postgres")
    server.require_alive()
    with way.asked(server.pid, *beds.children_of(server.pid)):
        answer = plainly(*psql, "-f", write(way.path("script"), POSTGRES_SCRIPT))
    answer = "\n".join(line for line in answer.splitlines() if "with payload" not in line) + "\n"  # it names a pid
    session = subprocess.Popen(psql, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    try:
        session.stdin.write("select pg_backend_pid();\n")
        session.stdin.flush()
        backend = int(session.stdout.readline())
        require(backend in beds.children_of(server.pid), "%d is no backend" % backend)
        for pid in [server.pid, *beds.children_of(server.pid)]:
            way.profiled(pid, "postgres")
        way.address_answers()
        answer += session.communicate("select count(*) from t;\n", timeout=PATIENCE)[0]
        ended(backend)  # else its end by the server's would be logged
    finally:
        session.kill()
        session.wait()
    server.process.send_signal(signal.SIGINT)
    return answer + server.end()


def postgres(bed):
    """postgres: the postmaster and every process below it, the backend of a session among them"""
    directory = postgres_programs()
    cluster = make_cluster(bed, directory)
    bed.compare(lambda way: play_postgres(way, directory, cluster))


if __name__ == "__main__":
    sys.exit(beds.run([python3, bash, sqlite3, node, cxx, gcc, redis, redis_daemon, nginx, nginx_daemon, memcached, memcached_daemon, postgres]))
