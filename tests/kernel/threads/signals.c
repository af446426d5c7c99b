/* Signals between threads and from other processes: who runs the handler, and what a wait ends with. */
#define _GNU_SOURCE
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <errno.h>
#include <string.h>
#include <unistd.h>
#include <time.h>
#include <sys/wait.h>
static volatile int n; static pthread_t waiter; static __thread int id; static volatile int got_in;
static void h(int s){ n++; got_in=id; }
static int up[2];
static void *reader(void *a){ id=1; char c; long r=read(up[0],&c,1); return (void*)(r<0?-(long)errno:r); }
static void *sw(void *a){ id=2; sigset_t s; sigemptyset(&s); sigaddset(&s,SIGTERM); sigaddset(&s,SIGUSR2); int sig=0; sigwait(&s,&sig); return (void*)(long)sig; }
static void *pz(void *a){ id=3; pause(); return (void*)7; }
static void timer_fn(union sigval v){ n=v.sival_int; write(up[1],"t",1);}
int main(){ setvbuf(stdout,0,_IOLBF,0); pipe(up); struct sigaction a={0}; a.sa_handler=h; sigaction(SIGUSR1,&a,0);
 pthread_t t; void *r; pthread_create(&t,0,reader,0); usleep(50000); pthread_kill(t,SIGUSR1); pthread_join(t,&r); printf("reader %ld in %d n %d\n",(long)r,got_in,n);
 a.sa_flags=SA_RESTART; sigaction(SIGUSR1,&a,0); pthread_create(&t,0,reader,0); usleep(50000); pthread_kill(t,SIGUSR1); usleep(50000); write(up[1],"x",1); pthread_join(t,&r); printf("reader %ld n %d\n",(long)r,n);
 sigset_t s; sigemptyset(&s); sigaddset(&s,SIGTERM); sigaddset(&s,SIGUSR2); pthread_sigmask(SIG_BLOCK,&s,0);
 pthread_create(&t,0,sw,0); usleep(50000); int pid=fork(); if(!pid){ kill(getppid(),SIGTERM); _exit(0);} pthread_join(t,&r); printf("sigwait %ld\n",(long)r); waitpid(pid,0,0);
 pthread_create(&t,0,sw,0); usleep(50000); pthread_kill(t,SIGUSR2); pthread_join(t,&r); printf("sigwait %ld\n",(long)r);
 pthread_create(&t,0,pz,0); usleep(50000); pthread_kill(t,SIGUSR1); pthread_join(t,&r); printf("pause %ld in %d\n",(long)r,got_in);
 sigset_t u; sigemptyset(&u); sigaddset(&u,SIGUSR1); pthread_create(&t,0,pz,0); usleep(20000); pthread_sigmask(SIG_BLOCK,&u,0);
 pid=fork(); if(!pid){ usleep(50000); kill(getppid(),SIGUSR1); _exit(0);} pthread_join(t,&r); printf("pause %ld in %d\n",(long)r,got_in); waitpid(pid,0,0); pthread_sigmask(SIG_UNBLOCK,&u,0);

 struct sigevent e={0}; e.sigev_notify=SIGEV_THREAD; e.sigev_notify_function=timer_fn; e.sigev_value.sival_int=55; timer_t tm; printf("%d\n",timer_create(CLOCK_MONOTONIC,&e,&tm));
 struct itimerspec it={{0,0},{0,20000000}}; timer_settime(tm,0,&it,0); char c; read(up[0],&c,1); printf("timer %c %d\n",c,n); timer_delete(tm);
 pthread_create(&t,0,reader,0); usleep(10000); pthread_cancel(t); pthread_join(t,&r); printf("cancelled %d\n", r==PTHREAD_CANCELED);
 a.sa_handler=h; alarm(1); sigaction(SIGALRM,&a,0); pthread_create(&t,0,reader,0); sigset_t al; sigemptyset(&al); n=0; while(!n) ; printf("alarm %d\n",n); write(up[1],"x",1); pthread_join(t,&r);
 return 0; }
