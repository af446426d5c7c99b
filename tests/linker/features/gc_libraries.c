//// ABOUT --gc-sections of a library keeps what it exports
//// BUILD gcc -c -O1 -fPIC -ffunction-sections x.c
//// LINK gcc -shared -o a.so x.o -Wl,--gc-sections
//// LINK gcc -shared -o b.so x.o -Wl,--gc-sections -Wl,--version-script=x.map
//// SHOW nm a.so | grep -o -e ' api' -e ' hidden' -e ' helper' | sort -u
//// SHOW nm b.so | grep -o -e ' api' -e ' hidden' -e ' helper' | sort -u
//// PRINTS  api
//// PRINTS  helper
//// FILE x.map
{ global: api; local: *; };
//// FILE x.c
__attribute__((noinline)) int helper(void) { return 1; }
int api(void) { return helper(); }
int hidden(void) { return 2; }
