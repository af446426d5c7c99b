/* The floating-point environment a process begins with, and what rounding makes of it. */
#include <fenv.h>
#include <stdio.h>
static void words(void) {
  unsigned short x87; unsigned sse;
  __asm__ volatile("fnstcw %0" : "=m"(x87));
  __asm__ volatile("stmxcsr %0" : "=m"(sse));
  printf("%x %x\n", x87, sse);
}
int main(void) {
  volatile long double third = 1.0L, three = 3.0L;
  volatile double one = 1.0, dthree = 3.0;
  words();
  printf("%.20Lf\n", third / three);
  int modes[] = {FE_UPWARD, FE_DOWNWARD, FE_TOWARDZERO, FE_TONEAREST};
  for (int i = 0; i < 4; i++) {
    fesetround(modes[i]);
    printf("%d %.20f %.20Lf\n", fegetround() == modes[i], one / dthree, third / three);
  }
  fenv_t saved;
  feholdexcept(&saved);
  fesetenv(&saved);
  printf("%.20Lf\n", third / three);
  return 0;
}
