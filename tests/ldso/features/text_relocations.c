//// BUILD gcc -shared -fno-pic -mcmodel=large -Wl,-z,notext -o libt.so t.c
//// BUILD gcc -o main main.c ./libt.so
//// RUN ./main
//// FILE t.c
static int value = 3;
int get(void) { return ++value; }
//// FILE main.c
// DT_TEXTREL: text is writable only while it is relocated.
#include <stdio.h>
int get(void);
int main(void) { printf("%d %d\n", get(), get()); return 0; }
