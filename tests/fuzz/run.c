/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Runs a fuzz target without libFuzzer: run FILE... --mutations N --seed S feeds it each file and then N
 * mutations of them. The same arguments always give the same inputs. An input that ends the program is kept
 * in the file named by --keep. */
#include <signal.h>
#include <stdbool.h>

#include "fuzz.h"

enum { INPUT_MAX = 2048, FILES_MAX = 256, STEPS_MAX = 6 };

struct input {
    uint8_t data[INPUT_MAX];
    size_t size;
};

static struct input corpus[FILES_MAX], current;
static size_t corpus_n, words_n;
static const char *keep;
static uint64_t state;

/* xorshift64* (Vigna 2016) */
static uint64_t draw(uint64_t below)
{
    state ^= state >> 12;
    state ^= state << 25;
    state ^= state >> 27;
    return (state * 0x2545f4914f6cdd1dull >> 32) % below;
}

static void read_input(struct input *input, const char *path)
{
    FILE *file = fopen(path, "rb");

    if (!file) {
        perror(path);
        exit(2);
    }
    input->size = fread(input->data, 1, sizeof(input->data), file);
    fclose(file);
}

/* data[at..at+cut) becomes n bytes of text */
static void replace(struct input *input, size_t at, size_t cut, const void *text, size_t n)
{
    size_t behind = input->size - at - cut;

    if (at + n + behind > INPUT_MAX) return;
    memmove(input->data + at + n, input->data + at + cut, behind);
    if (n) memcpy(input->data + at, text, n);
    input->size = at + n + behind;
}

static void mutate(struct input *input)
{
    static const uint8_t telling[] = { 0, 1, 7, 8, '\t', '\n', '/', ':', '?', '\\', 0x7f, 0x80, 0xff };
    size_t at = draw(input->size + 1), n = input->size - at;
    const struct input *other = &corpus[draw(corpus_n)];
    uint8_t part[INPUT_MAX], byte;
    size_t from, length;

    switch (draw(7)) {
    case 0: /* a bit */
        if (n) input->data[at] ^= (uint8_t)(1u << draw(8));
        break;
    case 1: /* a byte that means something */
        byte = telling[draw(sizeof(telling))];
        replace(input, at, n ? draw(2) : 0, &byte, 1);
        break;
    case 2: /* take some out */
        if (n) replace(input, at, 1 + draw(n < 16 ? n : 16), NULL, 0);
        break;
    case 3: /* cut off */
        input->size = at;
        break;
    case 4: /* say it twice */
        length = n < 64 ? n : 64;
        memcpy(part, input->data + at, length);
        replace(input, at, 0, part, length);
        break;
    case 5: /* a part of another one */
        if (!other->size) break;
        from = draw(other->size);
        replace(input, at, 0, other->data + from, 1 + draw(other->size - from));
        break;
    default: /* a word */
        if (!words_n) break;
        length = draw(words_n);
        replace(input, at, 0, fuzz_words[length], strlen(fuzz_words[length]));
    }
}

static void keep_input(int signal_number)
{
    FILE *file = keep ? fopen(keep, "wb") : NULL;

    if (file) {
        fwrite(current.data, 1, current.size, file);
        fclose(file);
    }
    signal(signal_number, SIG_DFL);
    raise(signal_number);
}

static void feed(const struct input *input)
{
    current = *input;
    LLVMFuzzerTestOneInput(input->data, input->size);
}

int main(int argc, char **argv)
{
    unsigned long mutations = 0, i;
    struct input input;
    int arg;

    state = 1;
    for (arg = 1; arg < argc; arg++) {
        bool has_value = arg + 1 < argc;

        if (has_value && !strcmp(argv[arg], "--mutations")) mutations = strtoul(argv[++arg], NULL, 10);
        else if (has_value && !strcmp(argv[arg], "--seed")) state = strtoul(argv[++arg], NULL, 10) | 1;
        else if (has_value && !strcmp(argv[arg], "--keep")) keep = argv[++arg];
        else if (corpus_n < FILES_MAX) read_input(&corpus[corpus_n++], argv[arg]);
    }
    if (!corpus_n) {
        fputs("run: no input is given\n", stderr);
        return 2;
    }
    while (fuzz_words[words_n]) words_n++;
    signal(SIGABRT, keep_input);
    for (i = 0; i < corpus_n; i++) feed(&corpus[i]);
    for (i = 0; i < mutations; i++) {
        uint64_t steps = 1 + draw(STEPS_MAX);

        input = corpus[draw(corpus_n)];
        while (steps--) mutate(&input);
        feed(&input);
    }
    printf("%zu files, %lu mutations\n", corpus_n, mutations);
    return 0;
}
