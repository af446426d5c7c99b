/* 200,000 system calls that do nothing. */
#include <sys/syscall.h>
#include <unistd.h>

int main(void) {
  for (int i = 0; i < 200000; i++)
    syscall(SYS_getppid);
}
