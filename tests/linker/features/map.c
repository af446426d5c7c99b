//// ABOUT -Map and --print-map name every section and symbol
//// BUILD gcc -c -O1 m.c
//// LINK gcc -o m m.o -Wl,-Map=map
//// SHOW grep -c -w -e weigh_me map
//// SHOW gcc -B$PWD/tools -o n m.o -Wl,--print-map | grep -c -w -e weigh_me
//// SHOW gcc -B$PWD/tools -o n m.o -Wl,-M | grep -c -w -e weigh_me
//// FILE m.c
int weigh_me(int n) { return n; }
int main(void) { return 0; }
