//// ABOUT exact names of a version script before patterns, and patterns before *
//// BUILD gcc -c -O1 -fPIC x.c
//// LINK gcc -shared -o libx.so x.o -Wl,--version-script=x.map
//// DIFFERS mold versions symbols: for it the first pattern counts
//// FILE x.map
A { global: *; };
B { global: b_*; };
C { global: b_special; local: b_local; };
//// FILE x.c
int plain = 1, b_one = 2, b_special = 3, b_local = 4;
