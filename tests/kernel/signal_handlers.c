/* Handlers for what a process sends to itself and for its faults, and what they see and change. */
#define _GNU_SOURCE
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <setjmp.h>
#include <ucontext.h>
#include <unistd.h>
#include <sys/mman.h>
static sigjmp_buf env; static char *page; static volatile double d = 1.5;
static void usr(int n) { printf("signal %d\n", n); }
static void segv(int n, siginfo_t *i, void *c) {
  ucontext_t *u = c;
  printf("%d code %d addr+%ld err %lld trap %lld cr2+%ld\n", n, i->si_code, (long)((char*)i->si_addr - page),
    (long long)u->uc_mcontext.gregs[REG_ERR], (long long)u->uc_mcontext.gregs[REG_TRAPNO], (long)((char*)u->uc_mcontext.gregs[REG_CR2]-page));
  mprotect(page, 4096, PROT_READ|PROT_WRITE);
}
static void ill(int n, siginfo_t *i, void *c) { ucontext_t *u = c; printf("ill %d %d\n", n, i->si_code); u->uc_mcontext.gregs[REG_RIP] += 2; }
static void trap(int n, siginfo_t *i, void *c) { printf("trap %d\n", i->si_code); }
static void out(int n) { siglongjmp(env, n); }
static int deep(int n) {
  volatile char b[4096];
  b[0] = n;
  return deep(n + 1) + b[0];
}
static void nested(int n, siginfo_t *i, void *c) {
  printf("in %d code %d pid %d\n", n, i->si_code, i->si_pid == getpid());
  static int once;
  if (n == SIGUSR1 && !once++) { raise(SIGUSR1); kill(getpid(), SIGUSR2); printf("still in %d\n", n); }
}
static void on_stack(int n) {
  stack_t now, none = {.ss_flags = SS_DISABLE};
  int result = sigaltstack(0, &now);
  printf("%d flags %d size %zu\n", result, now.ss_flags, now.ss_size);
  printf("%d\n", sigaltstack(&none, 0));
}
static void more(void) {
  struct sigaction a;
  memset(&a, 0, sizeof a);
  a.sa_sigaction = nested; a.sa_flags = SA_SIGINFO; sigaddset(&a.sa_mask, SIGUSR2);
  sigaction(SIGUSR1, &a, 0); sigemptyset(&a.sa_mask); sigaction(SIGUSR2, &a, 0);
  sigset_t both, old; sigemptyset(&both); sigaddset(&both, SIGUSR1); sigaddset(&both, SIGUSR2);
  sigprocmask(SIG_BLOCK, &both, &old); kill(getpid(), SIGUSR2); kill(getpid(), SIGUSR1);
  sigprocmask(SIG_SETMASK, &old, 0);
  stack_t now, wrong = {.ss_size = 100}, flags = {.ss_flags = 64, .ss_size = 65536};
  int result = sigaltstack(0, &now);
  printf("%d flags %d size %zu\n", result, now.ss_flags, now.ss_size);
  printf("%d %d\n", sigaltstack(&wrong, 0), sigaltstack(&flags, 0));
  stack_t good = {.ss_sp = malloc(65536), .ss_size = 65536};
  printf("%d\n", sigaltstack(&good, 0));
  memset(&a, 0, sizeof a); a.sa_handler = on_stack; a.sa_flags = SA_ONSTACK;
  sigaction(SIGUSR1, &a, 0); raise(SIGUSR1); sigaltstack(0, &now); printf("flags %d\n", now.ss_flags);
}
int main(void) {
  setvbuf(stdout, 0, _IONBF, 0);
  more();
  struct sigaction a; memset(&a, 0, sizeof a);
  signal(SIGUSR1, usr); raise(SIGUSR1);
  sigset_t s; sigemptyset(&s); sigaddset(&s, SIGUSR1); sigprocmask(SIG_BLOCK, &s, 0); raise(SIGUSR1); puts("blocked"); sigprocmask(SIG_UNBLOCK, &s, 0);
  page = mmap(0, 4096, PROT_NONE, MAP_PRIVATE|MAP_ANONYMOUS, -1, 0);
  a.sa_flags = SA_SIGINFO; a.sa_sigaction = segv; sigaction(SIGSEGV, &a, 0); page[5] = 7; printf("%d %.1f\n", page[5], d * 2);
  a.sa_sigaction = ill; sigaction(SIGILL, &a, 0); __asm__ volatile("ud2");
  a.sa_sigaction = trap; sigaction(SIGTRAP, &a, 0); __asm__ volatile("int3");
  signal(SIGFPE, out); int n = sigsetjmp(env, 1); volatile int z = 0; if (!n) printf("%d", 100 / z); printf("fpe %d\n", n);
  stack_t ss = { .ss_sp = malloc(65536), .ss_size = 65536 }; sigaltstack(&ss, 0);
  memset(&a, 0, sizeof a); a.sa_handler = out; a.sa_flags = SA_ONSTACK | SA_RESETHAND; sigaction(SIGSEGV, &a, 0);
  n = sigsetjmp(env, 1); if (!n) deep(0); printf("overflow %d\n", n);
  signal(SIGABRT, usr); abort();
}
