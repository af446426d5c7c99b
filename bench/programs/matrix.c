/* A product of matrices: SSE2 arithmetic and loads. */
#include <stdio.h>

enum { SIZE = 128 };

static double a[SIZE][SIZE], b[SIZE][SIZE], product[SIZE][SIZE];

int main(void) {
  for (int i = 0; i < SIZE; i++)
    for (int j = 0; j < SIZE; j++) {
      a[i][j] = i + j;
      b[i][j] = i - j;
    }
  for (int times = 0; times < 4; times++)
    for (int i = 0; i < SIZE; i++)
      for (int k = 0; k < SIZE; k++)
        for (int j = 0; j < SIZE; j++)
          product[i][j] += a[i][k] * b[k][j];
  printf("%g\n", product[3][5]);
}
