/* One loop of multiplications, shifts and additions in registers. */
#include <stdio.h>

int main(void) {
  unsigned long sum = 0;
  for (unsigned long i = 0; i < 300000000; i++)
    sum = sum * 31 + (i ^ (sum >> 7));
  printf("%lu\n", sum);
}
