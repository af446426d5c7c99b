/* int.c: the program whose malloc and free are interposed (CS:APP 7.13). */
#include <stdlib.h>

int main(void)
{
    void *block = malloc(32);

    free(block);
    return 0;
}
