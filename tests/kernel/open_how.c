/* openat2(2) in right and wrong ways, and signals of descriptors (fcntl(2), F_SETOWN). */
#define _GNU_SOURCE
#include <fcntl.h>
#include <linux/openat2.h>
#include <sys/syscall.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <errno.h>
#include <unistd.h>
#include <sys/socket.h>
/* Descriptors differ, so only success is shown. */
#define SHOW(call) do { errno = 0; long r_ = (long)(call); printf("%s = %s %s\n", #call, r_<0?"-1":"ok", r_ == -1 ? strerrorname_np(errno) : ""); } while (0)
static int o(const char*p, long f, long m, long r, int size){ struct { struct open_how h; long more; } x={{f,m,r},0}; return syscall(SYS_openat2,AT_FDCWD,p,&x,size);}
static volatile int io; static void h(int s){io++;}
int main(){
 SHOW(o("new",O_CREAT|O_RDWR,0644,0,24)); SHOW(o("new",O_RDONLY,0644,0,24)); SHOW(o("new",O_RDONLY,0,0,16)); SHOW(o("new",O_RDONLY,0,0,32)); SHOW(o("new",1L<<40,0,0,24));
 SHOW(o("../x",O_RDONLY,0,RESOLVE_BENEATH,24)); SHOW(o("/etc/passwd",O_RDONLY,0,RESOLVE_BENEATH,24)); SHOW(o("new2",O_CREAT|O_WRONLY,0600,RESOLVE_BENEATH,24)); symlink("new","ln"); SHOW(o("ln",O_RDONLY,0,RESOLVE_NO_SYMLINKS,24)); SHOW(o("ln",O_RDONLY,0,RESOLVE_IN_ROOT,24)); SHOW(o("/proc/self/exe",O_RDONLY,0,RESOLVE_NO_MAGICLINKS,24)); SHOW(o("new",0,0,1024,24));
 int s[2]; socketpair(AF_UNIX,SOCK_STREAM,0,s); signal(SIGIO,h); signal(SIGUSR1,h); SHOW(fcntl(s[0],F_SETOWN,getpid())); SHOW(fcntl(s[0],F_GETOWN)==getpid()); SHOW(fcntl(s[0],F_SETFL,O_ASYNC)); write(s[1],"x",1); while(!io); puts("io"); SHOW(fcntl(s[0],F_SETSIG,SIGUSR1)); SHOW(fcntl(s[0],F_GETSIG)==SIGUSR1);
 struct f_owner_ex e={F_OWNER_PID,getpid()}; SHOW(fcntl(s[0],F_SETOWN_EX,&e)); SHOW(fcntl(s[0],F_GETOWN_EX,&e)); }
