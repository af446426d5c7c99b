/* All ways to put 13 queens on a board: calls and branches. */
#include <stdio.h>

enum { SIZE = 13 };

static unsigned count;

static void place(unsigned row, unsigned columns, unsigned left, unsigned right) {
  if (row == SIZE) {
    count++;
    return;
  }
  unsigned free = ((1u << SIZE) - 1) & ~(columns | left | right);
  while (free) {
    unsigned bit = free & -free;
    free ^= bit;
    place(row + 1, columns | bit, (left | bit) << 1, (right | bit) >> 1);
  }
}

int main(void) {
  place(0, 0, 0, 0);
  printf("%u\n", count);
}
