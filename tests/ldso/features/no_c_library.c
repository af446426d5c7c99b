/* Programs that need no C library: alone, and with a library that needs none either. */
//// FILE alone.c
void _start(void) {
  __asm__ volatile("mov $60, %eax; mov $7, %edi; syscall");
}
//// FILE seven.c
int seven(void) { return 7; }
//// FILE with.c
int seven(void);
void _start(void) {
  long status = seven() + 1;
  __asm__ volatile("syscall" : : "a"(60L), "D"(status));
}
//// BUILD gcc -O1 -nostdlib -o alone alone.c
//// BUILD gcc -O1 -nostdlib -shared -fpic -o libseven.so seven.c
//// BUILD gcc -O1 -nostdlib -o with with.c ./libseven.so
//// RUN ./alone
//// RUN LD_BIND_NOW=1 ./with
//// RUN ./with
