//// ABOUT an unknown option is an error, with the likely one
//// BUILD gcc -c -O1 m.c
//// FAILS gcc -o m m.o -Wl,--gc-section
//// SAYS did you mean --gc-sections
//// FAILS gcc -o m m.o -Wl,--no-such-thing-at-all
//// SAYS no such option: --no-such-thing-at-all
//// DIFFERS ld output: it completes --gc-section
//// FILE m.c
int main(void) { return 0; }
