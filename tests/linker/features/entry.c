//// ABOUT -e: another entry point
//// BUILD gcc -c -O1 -fno-pie -fno-stack-protector m.c
//// LINK gcc -nostdlib -static -Wl,-e,begin -o m m.o
//// LINK ld --entry=begin -o n m.o
//// LINK ld -e 0x401234 -o o m.o
//// RUN ./m
//// PRINTS status 5
//// RUN ./n
//// PRINTS status 5
//// SHOW readelf -h o | grep -o "0x401234"
//// DIFFERS mold output: it takes no number for -e
//// PRINTS 0x401234
//// DIFFERS mold segments: it makes a segment for sections without content
//// FILE m.c
void wrong(void) { __asm__ volatile("ud2"); }
void begin(void) { __asm__ volatile("syscall" : : "a"(60), "D"(5)); }
