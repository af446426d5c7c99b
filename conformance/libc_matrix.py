"""Run programs under several C libraries, natively and by pyldso: the outcome must be the same.

    python -m conformance.libc_matrix SYSTEMS [CORPUS]

SYSTEMS is a folder that conformance/sysroots.sh has filled. Programs of our own are compiled
against each system's headers and start files. For musl, for which Debian has no programs, lua,
sqlite3 and bash are compiled from the sources of CORPUS, a folder that conformance/fetch.sh has
filled. The native run is `chroot`, so root is needed.
Prints a table in Markdown, and what differs below it; exits with 1 where something does.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

SOURCES = {
    "hello": '#include <stdio.h>\nint main(void) { puts("hello"); return 3; }\n',
    "threads": """
#include <pthread.h>
#include <stdio.h>
static __thread int mine = 5;
static int total;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static void *work(void *n) {
    for (int i = 0; i < 1000; i++) {
        pthread_mutex_lock(&lock); total += mine; pthread_mutex_unlock(&lock);
    }
    mine += (int)(long)n;
    return (void *)(long)mine;
}
int main(void) {
    pthread_t t[4];
    void *result;
    for (long i = 0; i < 4; i++) pthread_create(&t[i], 0, work, (void *)i);
    for (int i = 0; i < 4; i++) { pthread_join(t[i], &result); printf("%ld\\n", (long)result); }
    printf("%d %d\\n", total, mine);
    return 0;
}
""",
    "dlopen": """
#include <dlfcn.h>
#include <stdio.h>
int main(void) {
    void *handle = dlopen("/tmp/libtls.so", RTLD_NOW);
    if (!handle) { puts(dlerror()); return 1; }
    int (*next)(void) = (int (*)(void))dlsym(handle, "next");
    printf("%d %d\\n", next(), next());
    printf("%p\\n", dlsym(handle, "nothing"));
    return dlclose(handle);
}
""",
    "locale": """
#include <locale.h>
#include <stdio.h>
#include <stdlib.h>
#include <wctype.h>
int main(void) {
    const char *name = setlocale(LC_ALL, "C.UTF-8");
    wchar_t wide = 0;
    int length = mbtowc(&wide, "\\303\\204", 2);
    printf("%s %d %d %x\\n", name ? name : "(none)", length, (int)wide, (int)towlower(wide));
    return 0;
}
""",
}
LIBRARY = "static __thread int count = 41;\nint next(void) { return ++count; }\n"
COMMANDS = {
    "hello": ["/tmp/hello"],
    "threads": ["/tmp/threads"],
    "dlopen+TLS": ["/tmp/dlopen"],
    "locale": ["/tmp/locale"],
    "ls": ["/bin/ls", "-ln", "/usr/bin"],
    "bash": [
        "/bin/bash", "-c",
        'for i in {1..3}; do echo "$i" | while read n; do echo "<$n>"; done; done; '
        "x=$(pwd); echo $x; (exit 3); echo $?; type -t cat && echo four | cat; "
        '[[ abc =~ b(.) ]] && echo "${BASH_REMATCH[1]^}"',
    ],
    "lua": [
        "/usr/bin/lua5.4", "-e",
        "local t = {} for i = 1, 9 do t[#t + 1] = ('%5.2f'):format(math.sqrt(i) ^ 3) end "
        "print(table.concat(t, ' '), pcall(error, 'raised'), coroutine.wrap(math.floor)(7.9))",
    ],
    "sqlite3": [
        "/usr/bin/sqlite3", ":memory:",
        "create table t(x); insert into t values (1), (2); select sum(x), round(0.5, 3) from t;",
    ],
}  # fmt: skip


def build(system: Path) -> None:
    """Compile the programs into /tmp of a system, with its own headers and start files."""
    target = system / "tmp"
    compiler = ["gcc", "-O1", "-w", f"--sysroot={system}"]
    libraries = ["-lpthread", "-ldl"]
    if system.name == "musl":
        compiler = ["musl-gcc", "-O1", "-w"]
    for name, text in {**SOURCES, "libtls": LIBRARY}.items():
        source = target / f"{name}.c"
        source.write_text(text)
        out = ["-shared", "-fpic", "-o", str(target / "libtls.so"), str(source)]
        if name != "libtls":
            out = ["-o", str(target / name), str(source), *libraries]
        subprocess.run([*compiler, *out], check=True)


def build_for_musl(system: Path, corpus: Path) -> None:
    """Compile lua, the shell of sqlite3 and bash for musl."""
    folder = system / "usr/bin"
    folder.mkdir(parents=True, exist_ok=True)
    lua, sqlite = corpus / "lua/src", corpus / "sqlite/build"
    sources = [path for path in sorted(lua.glob("*.c")) if path.name != "luac.c"]
    for program, arguments in {
        folder / "lua5.4": ["-DLUA_USE_POSIX", *sources, "-lm"],
        folder / "sqlite3": [f"-I{sqlite}", sqlite / "sqlite3.c", sqlite / "shell.c", "-lm"],
    }.items():
        if not program.exists():
            subprocess.run(["musl-gcc", "-O1", "-w", "-o", program, *arguments], check=True)
    bash = corpus / "bash"
    if not (folder / "bash").exists():
        options = "--quiet CC=musl-gcc --without-bash-malloc --disable-nls --disable-readline"
        build = f"mkdir -p musl && cd musl && ../configure {options} && make -s CFLAGS='-O1 -w'"
        subprocess.run(["sh", "-c", build], cwd=bash, check=True, capture_output=True)
        shutil.copy(bash / "musl/bash", folder / "bash")


def outcome(words: list[str]) -> tuple[int, bytes, bytes]:
    """Return status, output and error of a command, in an environment of its own."""
    done = subprocess.run(
        words,
        env={"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "PYTHONPATH": str(Path.cwd())},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        timeout=120,
        check=False,
    )
    return done.returncode, done.stdout, done.stderr


def main() -> int:
    """Compare all programs on all systems."""
    systems = sorted(path for path in Path(sys.argv[1]).resolve().iterdir() if path.is_dir())
    differences: list[str] = []
    print("| system |", " | ".join(COMMANDS), "|")
    print("|---" * (len(COMMANDS) + 1) + "|")
    for system in systems:
        build(system)
        if system.name == "musl" and len(sys.argv) > 2:
            build_for_musl(system, Path(sys.argv[2]))
        cells = []
        for name, words in COMMANDS.items():
            if not (system / words[0][1:]).exists():
                cells.append("-")
                continue
            native = outcome(["chroot", str(system), *words])
            run = [sys.executable, "-m", "cli", "run", "--root", str(system), *words]
            ours = outcome(run)
            cells.append("same" if ours == native else "differs")
            if ours != native:
                differences.append(f"{system.name} {name}:\n  {native}\n  {ours}")
        print("|", system.name, "|", " | ".join(cells), "|", flush=True)
    print("\n".join(differences))
    return 1 if differences else 0


if __name__ == "__main__":
    sys.exit(main())
