#!/usr/bin/python3
"""Planted bugs: is a fault in storage or recovery noticed by the tests?

usage: run.py [--list] [--only NAME,…] [--jobs N] [--pass-mark PERCENT]

mutants.def describes faults of one hunk each. They never touch the source tree: each job has a tree of
its own under build-mutants/, where src/ is a copy and all else a link. A fault is put in, the campaigns
below are built and run in order of cost until one fails, and the copy is put right again. Before that
the copy without a fault must pass them all.

Exit status: 0 when at least the pass mark is caught (95 % when nothing else is said), 1 when not, 2 when
the faults cannot be tried: one does not fit the source any more, does not build, or the control fails."""
import argparse, os, pathlib, queue, re, resource, shutil, signal, subprocess, sys, threading, time

ROOT = pathlib.Path(__file__).resolve().parents[2]
WORK = ROOT / "build-mutants"
DEFINITIONS = pathlib.Path(__file__).with_name("mutants.def")
PASS_MARK = 95
PYTHON = "/usr/bin/python3"
HELIOSD = "src/bin/heliosd"
SERVER = HELIOSD + " src/bin/helios"
# A test that hangs has noticed something, too: ten times what the control took, at least this.
PATIENCE_SECONDS = 30


class Campaign:
    def __init__(self, name, target, argv=None, **env):
        self.name, self.target, self.env = name, target, env
        self.argv = argv or ["{build}/" + target]
        self.seconds = 0.0


def unit(layer, name, label=None, **env):
    return Campaign(label or f"{layer}-{name}", f"tests/unit/{layer}/test_{layer}_{name}", **env)


def campaigns():
    """In order of cost. Those whose source is not there are left out."""
    kill = [PYTHON, "{root}/tests/crash/kill.py", "{build}/" + HELIOSD, "2"]
    sql = [PYTHON, "{root}/tests/sql/run.py", "{build}/" + HELIOSD, "delete", "indexes", "insert",
           "sequences", "sqlstates", "transaction_ddl", "transactions", "update"]
    every = [unit("core", n) for n in ("blocks", "cache", "wal_batch", "between", "ssi", "history",
                                       "recovery", "concurrency", "manifest", "memtable", "run",
                                       "wal", "past", "store", "backup")]
    every += [unit("base", "hlc"),
              unit("core", "recovery", "core-recovery, other seeds", SEED="1000"),
              unit("core", "store", "core-store, other seeds", SEED="1000")]
    every += [unit("db", n) for n in ("verify", "bit_rot", "disk_faults", "power_loss")]
    every += [Campaign("sql", SERVER, sql), Campaign("kill -9", SERVER, kill),
              unit("core", "store", "core-store, more seeds", SEED="2000")]
    return [c for c in every if c.target == SERVER or source_of(c).exists()]


def source_of(campaign):
    layer, name = re.match(r"tests/unit/(\w+)/test_\1_(\w+)", campaign.target).groups()
    return ROOT / "tests/unit" / layer / f"test_{name}.c"


# --- the definitions ------------------------------------------------------------------------------

class Mutant:
    def __init__(self, name):
        self.name, self.file, self.kind, self.breaks, self.first = name, "", "", "", ""
        self.old, self.new = [], []

    def apply(self, text):
        """The text with the fault; an error when the old lines are not there exactly once."""
        old, new = ("\n" + "".join(line + "\n" for line in x) for x in (self.old, self.new))
        if old == new or text.count(old) != 1:
            raise SystemExit(f"{self.name}: its old lines are {text.count(old)} times in {self.file}:"
                             " bring tests/mutants/mutants.def up to date") from None
        return text.replace(old, new)


def read_definitions():
    """mutant NAME, then `file`, `class`, `breaks`, perhaps `first`, then the hunk: lines that begin with
    two blanks stay, those with "- " go, those with "+ " come."""
    mutants = []
    for number, line in enumerate(DEFINITIONS.read_text().splitlines(), 1):
        word, _, rest = line.partition(" ")
        if not line or line.startswith("#"):
            continue
        if word == "mutant":
            mutants.append(Mutant(rest))
        elif line[:2] in ("  ", "- ", "+ ") or line in ("-", "+"):
            if line[0] != "+":
                mutants[-1].old.append(line[2:])
            if line[0] != "-":
                mutants[-1].new.append(line[2:])
        elif word in ("file", "class", "breaks", "first"):
            setattr(mutants[-1], "kind" if word == "class" else word, rest)
        else:
            sys.exit(f"{DEFINITIONS}:{number}: what is this?")
    names = [m.name for m in mutants]
    for m in mutants:
        if not (m.file and m.kind and m.breaks and m.old) or names.count(m.name) > 1:
            sys.exit(f"{DEFINITIONS}: {m.name} is not whole, or there are two of it")
        m.apply((ROOT / m.file).read_text())
    return mutants


# --- a tree to break ------------------------------------------------------------------------------

class Tree:
    """A copy of the sources with a build folder of its own."""

    def __init__(self, number):
        self.root = WORK / str(number)
        self.build = self.root / "build"
        self.root.mkdir(parents=True, exist_ok=True)
        self.environment = dict(os.environ, CCACHE_NOHASHDIR="1", CCACHE_BASEDIR=str(self.root))
        for entry in ROOT.iterdir():
            link = self.root / entry.name
            if entry.name.startswith("build") or entry.name in ("src", ".git") or link.is_symlink():
                continue
            link.symlink_to(entry)
        self.copy_sources()
        if not (self.build / "build.ninja").exists():
            self.must("meson", "setup", str(self.build), str(self.root), "--buildtype=debugoptimized")

    def copy_sources(self):
        """Only what differs, so that little is built anew."""
        wanted = {p.relative_to(ROOT) for p in (ROOT / "src").rglob("*") if p.is_file()}
        for p in wanted:
            to = self.root / p
            if not to.exists() or to.read_bytes() != (ROOT / p).read_bytes():
                to.parent.mkdir(parents=True, exist_ok=True)
                shutil.copyfile(ROOT / p, to)
        for p in (self.root / "src").rglob("*"):
            if p.is_file() and p.relative_to(self.root) not in wanted:
                p.unlink()

    def must(self, *argv):
        done = subprocess.run(argv, cwd=self.root, env=self.environment, text=True,
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        if done.returncode:
            print(done.stdout[-4000:])
            raise RuntimeError(f"failed: {' '.join(argv)}")

    def make(self, campaign):
        self.must("ninja", "-j2", "-C", str(self.build), *campaign.target.split())

    def run(self, campaign, patience):
        """None when it passes, else what failed."""
        argv = [a.format(build=self.build, root=self.root) for a in campaign.argv]
        log, scratch = self.root / "campaign.log", self.root / "tmp"
        shutil.rmtree(scratch, ignore_errors=True)
        scratch.mkdir()
        with open(log, "w") as out:
            p = subprocess.Popen(argv, cwd=self.root, stdout=out, stderr=subprocess.STDOUT,
                                 start_new_session=True,
                                 env=dict(os.environ, TMPDIR=str(scratch), **campaign.env),
                                 preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_CORE, (0, 0)))
            try:
                status = p.wait(patience)
            except subprocess.TimeoutExpired:
                status = "hangs"
            try:
                os.killpg(p.pid, signal.SIGKILL)  # and what it started
            except ProcessLookupError:
                pass
            p.wait()
        return None if status == 0 else reason(log.read_text(errors="replace"), status)


def reason(log, status):
    test = next(iter(re.findall(r"\[  FAILED  \] ([a-z]\w+)", log)), "")
    said = re.findall(r"\[  ERROR   \] --- (.*)|ERROR: (.*)|^(?!\[)(.*(?:rror|assert|differ).*)", log,
                      re.M)
    what = next(("".join(x) for x in said), "").strip()
    if status == "hangs":
        what = "hangs"
    elif not test and isinstance(status, int) and status < 0:
        what = what or signal.Signals(-status).name
    return ": ".join(x for x in (test, what[:70]) if x) or f"exit status {status}"


# --- the score ------------------------------------------------------------------------------------

def control(tree, every):
    print("control: the sources without a fault", flush=True)
    for c in every:
        tree.make(c)
        began = time.monotonic()
        failed = tree.run(c, 600)
        c.seconds = time.monotonic() - began
        if failed:
            print(f"  {c.name} fails without a fault: {failed}; {tree.root}/campaign.log")
            sys.exit(2)
        print(f"  {c.name}: {c.seconds:.1f} s", flush=True)


class Verdict:
    def __init__(self, mutant, by="", why="", seconds=0.0, broken=""):
        self.mutant, self.by, self.why, self.seconds = mutant, by, why, seconds
        self.broken = broken


def judge(tree, mutant, every):
    """Which campaign catches it? The seconds are those of the campaigns, not of the compiler."""
    file = tree.root / mutant.file
    sound = file.read_text()
    seconds = 0.0
    try:
        file.write_text(mutant.apply(sound))
        for c in sorted(every, key=lambda c: c.name != mutant.first):
            tree.make(c)
            began = time.monotonic()
            why = tree.run(c, max(PATIENCE_SECONDS, 10 * c.seconds))
            seconds += time.monotonic() - began
            if why:
                return Verdict(mutant, c.name, why, seconds)
        return Verdict(mutant, seconds=seconds)
    except RuntimeError as e:
        return Verdict(mutant, broken=str(e))
    finally:
        file.write_text(sound)


def judge_all(trees, mutants, every):
    waiting, verdicts, lock = queue.Queue(), [], threading.Lock()
    for m in mutants:
        waiting.put(m)

    def work(tree):
        while True:
            try:
                v = judge(tree, waiting.get_nowait(), every)
            except queue.Empty:
                return
            with lock:
                verdicts.append(v)
                if v.broken:
                    text = f"DOES NOT BUILD: {v.broken}"
                elif v.by:
                    text = f"caught by {v.by} in {v.seconds:.1f} s ({v.why})"
                else:
                    text = f"ESCAPED after {v.seconds:.1f} s"
                print(f"{len(verdicts):3}/{len(mutants)} {v.mutant.name}: {text}", flush=True)

    threads = [threading.Thread(target=work, args=(t,)) for t in trees]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    return verdicts


def report(verdicts, pass_mark):
    caught = [v for v in verdicts if v.by]
    escaped = [v for v in verdicts if not v.by and not v.broken]
    broken = [v for v in verdicts if v.broken]
    print("\nclass          caught   of")
    for kind in sorted({v.mutant.kind for v in verdicts}):
        mine = [v for v in verdicts if v.mutant.kind == kind]
        print(f"{kind:14} {sum(1 for v in mine if v.by):6} {len(mine):4}")
    for v in escaped:
        print(f"escaped: {v.mutant.name} ({v.mutant.file}): {v.mutant.breaks}")
    for v in broken:
        print(f"not tried: {v.mutant.name}: {v.broken}")
    score = 100 * len(caught) / max(1, len(verdicts) - len(broken))
    times = sorted(v.seconds for v in caught)
    median = times[len(times) // 2] if times else 0
    print(f"{len(caught)} of {len(caught) + len(escaped)} planted bugs caught: {score:.1f} %,"
          f" median {median:.1f} s of testing each")
    return 2 if broken else 0 if score >= pass_mark else 1


def main():
    p = argparse.ArgumentParser(description="Planted bugs: are they noticed?")
    p.add_argument("--list", action="store_true", help="what there is")
    p.add_argument("--only", help="names, parted by commas")
    p.add_argument("--jobs", type=int, default=1, help="trees to break at a time")
    p.add_argument("--no-control", action="store_true", help="trust that the sources pass")
    p.add_argument("--pass-mark", type=float, default=PASS_MARK, metavar="PERCENT")
    o = p.parse_args()
    mutants = read_definitions()
    if o.only:
        names = o.only.split(",")
        unknown = set(names) - {m.name for m in mutants}
        if unknown:
            sys.exit(f"no such mutant: {', '.join(sorted(unknown))}")
        mutants = [m for m in mutants if m.name in names]
    if o.list:
        for m in mutants:
            print(f"{m.name:34} {m.kind:13} {m.file}\n    {m.breaks}")
        print(len(mutants), "planted bugs")
        return 0
    trees = [Tree(i) for i in range(max(1, min(o.jobs, len(mutants))))]
    every = campaigns()
    if not o.no_control:
        control(trees[0], every)
    return report(judge_all(trees, mutants, every), o.pass_mark)


if __name__ == "__main__":
    sys.exit(main())
