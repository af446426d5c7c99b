"""Every fault that a C program can make ends it as on Linux: one guest makes them all.

The program forks for each kind and prints how the child ended, natively and under `run`; pyldso's
lines about the children stand on standard error. What libunicorn does not check is no part of the
table: the alignment of SSE operands, unmasked floating-point exceptions, EFLAGS.AC.
"""

import re
import subprocess

import pytest

SOURCE = r"""
#define _GNU_SOURCE
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>
const int limit = 5;
int data_here = 3, zero_here[100];
volatile int nil, minimum = INT_MIN;
volatile long lmin = LONG_MIN;
char __attribute__((aligned(16))) buffer[64];
extern char _DYNAMIC[];
__attribute__((noinline)) int recurse(int n) {
    volatile char room[4096];
    room[0] = n;
    return recurse(n + 1) + room[0];
}
#define CASE(name) if (!strcmp(kind, #name))
#define CALL(address) ((void (*)(void))(long)(address))()
__attribute__((noinline)) int fault(const char *kind) {
    volatile int *null = 0;
    CASE(null_read) return *null;
    CASE(null_write) *null = 1;
    CASE(null_jump) CALL(nil);
    CASE(text) *(volatile int *)fault = 1;
    CASE(rodata) *(volatile int *)&limit = 1;
    CASE(relro) *(volatile char *)_DYNAMIC = 1;
    CASE(stack) return recurse(0);
    CASE(division) return 5 / nil;
    CASE(ud2) __builtin_trap();
    CASE(int3) __asm__("int3");
    CASE(abort) abort();
    CASE(hlt) __asm__("hlt");
    CASE(cli) __asm__("cli");
    CASE(in) __asm__("in $0x60, %al");
    CASE(exec_data) CALL(&data_here);
    CASE(exec_bss) CALL(&zero_here);
    CASE(exec_heap) CALL(malloc(10));
    CASE(exec_stack) { char code[4] = {0xc3}; CALL(code); }
    CASE(intmin) return minimum / (nil - 1);
    CASE(longmin) return lmin / (long)(nil - 1);
    CASE(div8) __asm__ volatile("mov $0x1000,%%ax; mov $1,%%cl; div %%cl":::"ax","cx");
    CASE(div64) __asm__ volatile("mov $5,%%rdx; mov $1,%%rcx; div %%rcx":::"rax","rdx","rcx");
    CASE(rem0) return 5 % nil;
    CASE(middle) { __asm__ volatile("lea 1f+2(%rip),%rax; jmp *%rax; "
        "1: .byte 0x48,0xb8,0x0f,0x0b,0,0,0,0,0,0"); }
    CASE(rdmsr) __asm__("rdmsr");
    CASE(wrmsr) __asm__("wrmsr");
    CASE(out) __asm__("out %al, $0x80");
    CASE(outdx) __asm__("mov $0x80,%dx; out %al, %dx");
    CASE(insb) __asm__("lea buffer(%rip),%rdi; insb");
    CASE(outsb) __asm__("lea buffer(%rip),%rsi; outsb");
    CASE(sti) __asm__("sti");
    CASE(lgdt) __asm__("lgdt buffer(%rip)");
    CASE(lidt) __asm__("lidt buffer(%rip)");
    CASE(movcr) __asm__("mov %cr0, %rax");
    CASE(movcr3) __asm__("mov %rax, %cr3");
    CASE(movdr) __asm__("mov %db0, %rax");
    CASE(invd) __asm__("invd");
    CASE(wbinvd) __asm__("wbinvd");
    CASE(invlpg) __asm__("invlpg buffer(%rip)");
    CASE(swapgs) __asm__("swapgs");
    CASE(sysret) __asm__("sysretq");
    CASE(sysexit) __asm__("sysexit");
    CASE(iretq) __asm__("push $0;push $0;push $0;push $0;push $0;iretq");
    CASE(lldt) __asm__("xor %eax,%eax; lldt %ax");
    CASE(ltr) __asm__("mov $8,%eax; ltr %ax");
    CASE(clts) __asm__("clts");
    CASE(monitor) __asm__("monitor");
    CASE(mwait) __asm__("mwait");
    CASE(rsm) __asm__("rsm");
    CASE(int0) __asm__("int $0");
    CASE(int13) __asm__("int $13");
    CASE(icebp) __asm__(".byte 0xf1");
    CASE(into) __asm__(".byte 0xce");
    CASE(ud0) __asm__(".byte 0x0f,0xff,0xc0");
    CASE(ud1) __asm__(".byte 0x0f,0xb9,0xc0");
    CASE(lockbad) __asm__(".byte 0xf0,0x90");
    CASE(lockreg) __asm__(".byte 0xf0,0x01,0xc0");
    CASE(push_es) __asm__(".byte 0x06");
    CASE(badseg) __asm__("mov $0xfff3,%eax; mov %ax,%ds");
    CASE(badss) __asm__("xor %eax,%eax; mov %ax,%ss");
    CASE(farjmp) __asm__("lcall *buffer(%rip)");
    CASE(tf) { __asm__ volatile("pushf; orl $0x100,(%rsp); popf; nop; nop"); }
    CASE(write_far) *(volatile int *)0x8000000000000000 = 1;
    CASE(call_far) CALL(0x0000800000000000);
    CASE(kernel_read) return *(volatile int *)0xffffffff81000000;
    CASE(kernel_jump) CALL(0xffffffff81000000);
    CASE(vsys_write) *(volatile int *)0xffffffffff600000=1;
    CASE(stack_far) { __asm__ volatile("mov $0x8000000000000000,%rax; mov %rax,%rsp; push %rax");
        }
    CASE(stack_rbp) { __asm__ volatile("mov $0x8000000000000000,%rax; mov %rax,%rbp; "
        "mov (%rbp),%rcx"); }
    CASE(top) return *(volatile int *)0x7ffffffff000;
    CASE(straddle) return *(volatile long *)0x7ffffffffffc;
    CASE(bus_private) { FILE *f = tmpfile();
        char *p = mmap(0, 8192, 3, MAP_PRIVATE, fileno(f), 0); return p[5000]; }
    CASE(bus_partial) { FILE *f = tmpfile(); fputs("x",f); fflush(f);
        char *p = mmap(0, 8192, 3, MAP_PRIVATE, fileno(f), 0); printf("%d\n",p[100]);
        fflush(stdout); return p[4096]; }
    CASE(bus_exec) { FILE *f = tmpfile(); char *p = mmap(0, 8192, 5, MAP_PRIVATE, fileno(f), 0);
        CALL(p); }
    CASE(bus_truncated) { FILE *f = tmpfile(); ftruncate(fileno(f),8192);
        char *p = mmap(0, 8192, 3, MAP_SHARED, fileno(f), 0); p[5000]=1;
        ftruncate(fileno(f),4096); p[5000]=1; }
    CASE(none_read) { char *p = mmap(0, 8192, 0, MAP_PRIVATE|MAP_ANONYMOUS, -1, 0); return *p; }
    CASE(wo_read) { char *p = mmap(0, 8192, 2, MAP_PRIVATE|MAP_ANONYMOUS, -1, 0); return *p; }
    CASE(xo_read) { char *p = mmap(0, 8192, 4, MAP_PRIVATE|MAP_ANONYMOUS, -1, 0); return *p; }
    CASE(unmapped) { char *p = mmap(0, 8192, 3, MAP_PRIVATE|MAP_ANONYMOUS, -1, 0); *p=1;
        munmap(p,8192); return *p; }
    CASE(after_mprotect) { char *p = mmap(0, 8192, 3, MAP_PRIVATE|MAP_ANONYMOUS, -1, 0); *p=1;
        mprotect(p,8192,1); *p=2; }
    CASE(cross_page) { char *p = mmap(0, 8192, 3, MAP_PRIVATE|MAP_ANONYMOUS, -1, 0);
        munmap(p+4096,4096); *(volatile long*)(p+4092)=1; }
    CASE(freed_text) { char *p = mmap(0, 4096, 7, MAP_PRIVATE|MAP_ANONYMOUS, -1, 0); *p=0xc3;
        CALL(p); munmap(p,4096); CALL(p); }
    CASE(runs_off) { char *p = mmap(0, 8192, 7, MAP_PRIVATE|MAP_ANONYMOUS, -1, 0);
        munmap(p+4096,4096); memset(p,0x90,4096); CALL(p); }
    CASE(cmpxchg16b) { __asm__ volatile("lock cmpxchg16b 1+%0": "+m"(buffer)); }
    CASE(sigsys) raise(SIGSYS);
    CASE(badpop) __asm__("mov $8,%rsp; pop %rax");
    CASE(retnull) __asm__("push $0; ret");
    CASE(rdpmc) __asm__("rdpmc");
    CASE(long_prefix) __asm__(".rept 16; .byte 0x66; .endr; nop");
    return 200;
}
int main(int argc, char **argv) {
    struct rlimit none = {0, 0};
    setrlimit(RLIMIT_CORE, &none);
    for (int i = 1; i < argc; i++) {
        fflush(stdout);
        if (!fork())
            _exit(fault(argv[i]));
        int status;
        wait(&status);
        if (WIFSIGNALED(status))
            printf("%s: signal %d\n", argv[i], WTERMSIG(status));
        else
            printf("%s: exit %d\n", argv[i], WEXITSTATUS(status));
    }
}
"""

KINDS = """\
null_read null_write null_jump text rodata relro stack division ud2 int3 abort hlt cli in
exec_data exec_bss exec_heap exec_stack intmin longmin div8 div64 rem0 middle rdmsr wrmsr out
outdx insb outsb sti lgdt lidt movcr movcr3 movdr invd wbinvd invlpg swapgs sysret sysexit iretq
lldt ltr clts monitor mwait rsm int0 int13 icebp into ud0 ud1 lockbad lockreg push_es badseg
badss farjmp tf write_far call_far kernel_read kernel_jump vsys_write stack_far stack_rbp top
straddle bus_private bus_partial bus_exec bus_truncated none_read wo_read xo_read unmapped
after_mprotect cross_page freed_text runs_off cmpxchg16b sigsys badpop retnull rdpmc long_prefix
""".split()  # noqa: SIM905 - one list literal of 88 rows is no clearer


@pytest.fixture(scope="module")
def program(compile_c):
    return compile_c(SOURCE, "-O1")


def test_faults_end_as_natively_each_with_its_line(program, pyldso):
    native = subprocess.run([program, *KINDS], capture_output=True, text=True, timeout=60)
    own = pyldso("run", program, *KINDS)
    assert own.stdout.splitlines() == native.stdout.splitlines()
    reports = own.stderr.splitlines()
    survivors = sum(": exit " in line for line in own.stdout.splitlines())
    assert len(reports) == len(KINDS) - survivors
    assert all("(pc 0x" in line for line in reports)


def test_faults_end_as_natively_in_the_portable_way(program, run_portable):
    native = subprocess.run([program, *KINDS], capture_output=True, text=True, timeout=60)
    # Here the emulated process ends with a shell's status rather than by the signal.
    ends = re.sub(r"signal (\d+)", lambda match: f"exit {128 + int(match[1])}", native.stdout)
    status, output, _ = run_portable(program, *KINDS)
    assert (status, output.decode().splitlines()) == (0, ends.splitlines())


def test_fault_is_told_where_the_program_has_closed_or_moved_its_standard_error(
    compile_c, pyldso, tmp_path
):
    body = 'close(2); if (n > 1) dup2(creat("moved", 0600), 2); *(volatile int *)0 = 1;'
    source = f"#include <fcntl.h>\n#include <unistd.h>\nint main(int n) {{ {body} }}"
    program = compile_c(source)
    for arguments in ((), ("moved",)):
        ended = pyldso("run", program, *arguments)
        assert ended.returncode == 139
        assert "write to unmapped memory" in ended.stderr
    assert (tmp_path / "moved").read_text() == ""


def test_standard_streams_may_be_closed_from_the_start(compile_c, pyldso_script, tmp_path):
    program = compile_c("int main(int n) { return n > 1 ? *(volatile int *)0 : 3; }")
    for closed in ("2>&-", ">&-", "<&-", "<&- >&- 2>&-"):
        for arguments, status in (("", 3), ("crash", 139)):
            command = f"{pyldso_script} run {program} {arguments} {closed}"
            assert subprocess.run(command, shell=True, cwd=tmp_path).returncode == status, command


def test_shell_tells_of_a_fault_as_natively(pyldso):
    script = "sh -c 'kill -SEGV $$'; echo $?; sh -c 'kill -FPE $$'; echo $?"
    native = subprocess.run(["/bin/sh", "-c", script], capture_output=True, text=True)
    own = pyldso("run", "/bin/sh", "-c", script)
    assert own.stdout == native.stdout == "139\n136\n"
