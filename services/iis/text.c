/* See text.h.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "text.h"

#include <stdio.h>
#include <string.h>

static const char days[] = "ThuFriSatSunMonTueWed"; /* from the first of 1970 on */
static const char months[] = "JanFebMarAprMayJunJulAugSepOctNovDec";

/* days since 1970 of a date of the Gregorian calendar; March is the first month of its year here */
static int64_t days_of(int64_t year, int month, int day)
{
    int64_t y = month <= 2 ? year - 1 : year, era = y / 400, of_era = y - era * 400;
    int64_t of_year = (153 * (month > 2 ? month - 3 : month + 9) + 2) / 5 + day - 1;

    return era * 146097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year - 719468;
}

void text_date(char out[TEXT_DATE], int64_t seconds)
{
    int64_t day = seconds / 86400, rest = seconds % 86400, year = 1970 + day / 366;
    int month = 1;

    if (seconds < 0 || day > 2900000)
        day = rest = 0, year = 1970;
    while (days_of(year + 1, 1, 1) <= day)
        year++;
    while (month < 12 && days_of(year, month + 1, 1) <= day)
        month++;
    snprintf(out, TEXT_DATE, "%.3s, %02u %.3s %04u %02u:%02u:%02u GMT", days + day % 7 * 3, (unsigned)(day - days_of(year, month, 1) + 1) % 100,
             months + 3 * (month - 1), (unsigned)year % 10000, (unsigned)(rest / 3600) % 100, (unsigned)(rest / 60 % 60) % 100, (unsigned)(rest % 60) % 100);
}

static int month_of(const char *name)
{
    const char *found = strlen(name) == 3 ? strstr(months, name) : NULL;

    return found && (found - months) % 3 == 0 ? (int)(found - months) / 3 + 1 : 0;
}

int64_t text_parse_date(const char *text)
{
    char name[4] = "";
    int day, year, hour, minute, second, month;

    if (sscanf(text, "%*3s, %2d %3s %4d %2d:%2d:%2d GMT", &day, name, &year, &hour, &minute, &second) != 6) {
        if (sscanf(text, "%*[A-Za-z], %2d-%3s-%2d %2d:%2d:%2d GMT", &day, name, &year, &hour, &minute, &second) == 6)
            year += year < 70 ? 2000 : 1900;
        else if (sscanf(text, "%*3s %3s %2d %2d:%2d:%2d %4d", name, &day, &hour, &minute, &second, &year) != 6)
            return -1;
    }
    month = month_of(name);
    if (!month || year < 1970 || day < 1 || day > 31 || hour < 0 || hour > 23 || minute < 0 || minute > 59 || second < 0 || second > 60)
        return -1;
    return days_of(year, month, day) * 86400 + hour * 3600 + minute * 60 + second;
}

/* digits, at least one; false where there is none or too many */
static bool number(const char **p, uint64_t *value)
{
    const char *from = *p;

    for (*value = 0; **p >= '0' && **p <= '9' && *p - from < 18; (*p)++)
        *value = *value * 10 + (uint64_t)(**p - '0');
    return *p > from && !(**p >= '0' && **p <= '9');
}

enum range_result text_range(const char *text, uint64_t size, uint64_t *first, uint64_t *length)
{
    uint64_t last = size ? size - 1 : 0, suffix;
    const char *p = text + 6;

    if (strncmp(text, "bytes=", 6))
        return RANGE_NONE;
    if (*p == '-') {
        p++;
        if (!number(&p, &suffix) || *p)
            return RANGE_NONE;
        if (!suffix || !size)
            return RANGE_OUTSIDE;
        *first = suffix < size ? size - suffix : 0;
        *length = size - *first;
        return RANGE_GOOD;
    }
    if (!number(&p, first) || *p++ != '-')
        return RANGE_NONE;
    if (*p && (!number(&p, &last) || *p || last < *first))
        return RANGE_NONE;
    if (*first >= size)
        return RANGE_OUTSIDE;
    if (last >= size)
        last = size - 1;
    *length = last - *first + 1;
    return RANGE_GOOD;
}

bool text_has_tag(const char *list, const char *tag)
{
    size_t n = strlen(tag);

    while (*list) {
        list += strspn(list, " \t,");
        if (*list == '*')
            return true;
        if (!strncmp(list, "W/", 2))
            list += 2;
        if (!strncmp(list, tag, n) && (!list[n] || strchr(" \t,", list[n])))
            return true;
        list += strcspn(list, ",");
    }
    return false;
}

static const struct {
    const char *extension, *type;
} types[] = {
    {"htm", "text/html"}, {"html", "text/html"}, {"txt", "text/plain"}, {"css", "text/css"}, {"js", "text/javascript"},
    {"mjs", "text/javascript"}, {"json", "application/json"}, {"xml", "text/xml"}, {"csv", "text/csv"}, {"png", "image/png"},
    {"gif", "image/gif"}, {"jpg", "image/jpeg"}, {"jpeg", "image/jpeg"}, {"bmp", "image/bmp"}, {"ico", "image/x-icon"},
    {"svg", "image/svg+xml"}, {"webp", "image/webp"}, {"tif", "image/tiff"}, {"tiff", "image/tiff"}, {"mp3", "audio/mpeg"},
    {"wav", "audio/wav"}, {"mp4", "video/mp4"}, {"avi", "video/x-msvideo"}, {"webm", "video/webm"}, {"pdf", "application/pdf"},
    {"zip", "application/zip"}, {"gz", "application/gzip"}, {"cab", "application/vnd.ms-cab-compressed"}, {"wasm", "application/wasm"},
    {"woff", "font/woff"}, {"woff2", "font/woff2"}, {"ttf", "font/ttf"}, {"doc", "application/msword"}, {"rtf", "application/rtf"},
    {"xls", "application/vnd.ms-excel"}, {"ppt", "application/vnd.ms-powerpoint"}, {"exe", "application/octet-stream"},
};

const char *text_type(const char *name)
{
    const char *dot = strrchr(name, '.'), *slash = strrchr(name, '\\');
    char extension[8];
    size_t i, n;

    if (dot && (!slash || dot > slash) && (n = strlen(dot + 1)) < sizeof(extension)) {
        for (i = 0; i <= n; i++)
            extension[i] = dot[1 + i] >= 'A' && dot[1 + i] <= 'Z' ? (char)(dot[1 + i] | 0x20) : dot[1 + i];
        for (i = 0; i < sizeof(types) / sizeof(types[0]); i++)
            if (!strcmp(types[i].extension, extension))
                return types[i].type;
    }
    return "application/octet-stream";
}
