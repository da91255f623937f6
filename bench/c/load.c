/* A load generator: one thread, one epoll, the same request again and again on each connection.
 *
 *     load HOST PORT TARGET BODY-FILE CONNECTIONS SECONDS EACH EVENTS SPREAD LENGTH [HEADER...]
 *
 * A connection asks again until SECONDS are over or, when EACH is not 0, it has asked so often; what is in flight then
 * is waited for. The first request of each connection goes out at a moment of its own within SPREAD microseconds. The
 * eight characters "########" in the body, where they occur, become a number that differs in each request.
 *
 * An answer counts when its status is 200, its body whole and, with EVENTS above 0, when it holds exactly the stamped
 * events 0 to EVENTS - 1 in their order; else, with LENGTH above 0, when it has so many bytes. All others are errors.
 * One JSON object goes to standard output: counts, seconds, and percentiles in nanoseconds.
 */
#include "net.h"

enum { READ_BYTES = 256 * 1024, HEAD_BYTES = 16 * 1024, EVENTS_AT_ONCE = 256, MARK_BYTES = 8, WORST_ERRORS = 200 };
#define DRAIN_NS 60000000000ull

struct samples {
    uint64_t *values;
    size_t count, room;
};

enum framing { LENGTH, CHUNKS, UNTIL_END };
enum chunk_part { SIZE_LINE, DATA, DATA_END, TRAILER };

struct connection {
    int fd;
    bool busy, waits_writable;
    unsigned asked;
    uint64_t starts, began, first;
    char mark[MARK_BYTES + 1];
    size_t to_send;
    char head[HEAD_BYTES];
    size_t head_size;
    bool in_body;
    enum framing framing;
    enum chunk_part part;
    uint64_t left; /* of the body or the chunk */
    bool line_has_digits, closes;
    int status;
    uint64_t received;
    /* the stamp being read */
    char stamp[23];
    unsigned stamp_size, next_event;
    bool out_of_order;
};

static int poller;
static struct sockaddr_in address;
static char *request; /* head and body */
static size_t request_size, mark_at;
static unsigned wanted_events, each;
static uint64_t wanted_length, stop_at, sequence;
static uint64_t good, bad, bytes_received, events_received;
static struct samples first_bytes, totals, delays;
static char complaint[256];

static void add(struct samples *s, uint64_t value) {
    if (s->count == s->room) s->values = must(realloc(s->values, (s->room = s->room * 2 + 4096) * sizeof value));
    s->values[s->count++] = value;
}

static int compare(const void *a, const void *b) {
    uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
    return (x > y) - (x < y);
}

static void print_samples(const char *name, struct samples *s) {
    if (s->count) qsort(s->values, s->count, sizeof *s->values, compare);
    uint64_t half = s->count ? s->values[s->count / 2] : 0;
    uint64_t late = s->count ? s->values[s->count - 1 - s->count / 100] : 0;
    printf(", \"%s_p50\": %llu, \"%s_p99\": %llu", name, (unsigned long long)half, name, (unsigned long long)late);
}

static void watch(struct connection *c, bool writable, int operation) {
    struct epoll_event wanted = {.events = EPOLLIN | (writable ? EPOLLOUT : 0), .data.ptr = c};
    if (operation == EPOLL_CTL_ADD || c->waits_writable != writable) epoll_ctl(poller, operation, c->fd, &wanted);
    c->waits_writable = writable;
}

static void dial(struct connection *c) {
    c->fd = socket(AF_INET, SOCK_STREAM, 0);
    if (c->fd < 0 || connect(c->fd, (struct sockaddr *)&address, sizeof address)) die("connect");
    make_quick(c->fd);
    watch(c, false, EPOLL_CTL_ADD);
}

/* Send the rest of the request: what is before the mark, the mark, what is after it. */
static bool send_rest(struct connection *c) {
    while (c->to_send) {
        size_t sent = request_size - c->to_send;
        const char *from = request + sent;
        size_t size = c->to_send;
        if (mark_at && sent < mark_at) size = mark_at - sent;
        else if (mark_at && sent < mark_at + MARK_BYTES) {
            from = c->mark + (sent - mark_at);
            size = mark_at + MARK_BYTES - sent;
        }
        int more = size < c->to_send ? MSG_MORE : 0;
        ssize_t taken = send(c->fd, from, size, MSG_NOSIGNAL | more);
        if (taken < 0) {
            if (!would_block()) return false;
            watch(c, true, EPOLL_CTL_MOD);
            return true;
        }
        c->to_send -= (size_t)taken;
    }
    watch(c, false, EPOLL_CTL_MOD);
    return true;
}

static bool ask(struct connection *c) {
    c->busy = true;
    c->asked++;
    c->began = now_ns();
    c->first = c->head_size = c->received = 0;
    c->in_body = c->out_of_order = false;
    c->stamp_size = c->next_event = 0;
    c->to_send = request_size;
    snprintf(c->mark, sizeof c->mark, "%08u", (unsigned)(sequence++ % 100000000));
    return send_rest(c);
}

static void fail(struct connection *c, const char *why) {
    if (!bad++)
        snprintf(complaint, sizeof complaint, "%s (status %d, %llu bytes, %u events)", why, c->status,
            (unsigned long long)c->received, c->next_event);
    if (bad > WORST_ERRORS) stop_at = 0;
}

static void judge(struct connection *c, bool whole) {
    c->busy = false;
    bytes_received += c->received;
    events_received += c->next_event;
    if (!whole) return fail(c, "cut short");
    if (c->status != 200) return fail(c, "status");
    if (wanted_events && (c->out_of_order || c->next_event != wanted_events)) return fail(c, "events");
    if (!wanted_events && wanted_length && c->received != wanted_length) return fail(c, "length");
    good++;
    add(&first_bytes, c->first - c->began);
    add(&totals, now_ns() - c->began);
}

/* Read the stamps in a part of the body, wherever it was cut. */
static void scan(struct connection *c, const char *data, size_t size, uint64_t now) {
    for (size_t i = 0; i < size; i++) {
        if (!c->stamp_size) {
            const char *at = memchr(data + i, '@', size - i);
            if (!at) return;
            i = (size_t)(at - data);
        }
        c->stamp[c->stamp_size++] = data[i];
        if (c->stamp_size < sizeof c->stamp) continue;
        c->stamp_size = 0;
        unsigned number = (unsigned)strtoul(c->stamp + 1, NULL, 10);
        if (c->stamp[5] != '@' || c->stamp[22] != '@' || number != c->next_event) c->out_of_order = true;
        c->next_event++;
        add(&delays, now - strtoull(c->stamp + 6, NULL, 16));
    }
}

static void take_body(struct connection *c, const char *data, size_t size, uint64_t now) {
    c->received += size;
    if (wanted_events) scan(c, data, size, now);
}

/* True at the end of the body. `chunk-size` lines are read digit by digit. */
static bool take_chunks(struct connection *c, const char *data, size_t size, uint64_t now) {
    for (size_t i = 0; i < size;) {
        if (c->part == DATA) {
            size_t part = c->left < size - i ? (size_t)c->left : size - i;
            take_body(c, data + i, part, now);
            i += part;
            c->left -= part;
            if (!c->left) c->part = DATA_END;
            continue;
        }
        char byte = data[i++];
        if (c->part == DATA_END) {
            if (byte == '\n') c->part = SIZE_LINE, c->left = 0;
        } else if (c->part == SIZE_LINE) {
            if (byte == '\n') c->part = c->left ? DATA : TRAILER, c->line_has_digits = false;
            else if (byte >= '0' && byte <= '9') c->left = c->left * 16 + (uint64_t)(byte - '0');
            else if ((byte | 32) >= 'a' && (byte | 32) <= 'f') c->left = c->left * 16 + (uint64_t)((byte | 32) - 'a' + 10);
        } else { /* trailers end with an empty line */
            if (byte == '\n' && !c->line_has_digits) return true;
            c->line_has_digits = byte != '\r' && byte != '\n';
        }
    }
    return false;
}

static void read_head(struct connection *c) {
    const char *length = header_value(c->head, c->head_size, "content-length");
    const char *connection = header_value(c->head, c->head_size, "connection");
    c->status = c->head_size > 12 ? atoi(c->head + 9) : 0;
    c->closes = connection && strncasecmp(connection, "close", 5) == 0;
    c->framing = is_chunked(c->head, c->head_size) ? CHUNKS : length ? LENGTH : UNTIL_END;
    c->left = length && c->framing == LENGTH ? strtoull(length, NULL, 10) : 0;
    c->part = SIZE_LINE;
    c->line_has_digits = false;
    c->in_body = true;
}

/* True when the answer is whole. */
static bool take(struct connection *c, const char *data, size_t size, uint64_t now) {
    if (!c->first) c->first = now;
    if (!c->in_body) {
        size_t before = c->head_size, part = size < HEAD_BYTES - before ? size : HEAD_BYTES - before;
        memcpy(c->head + before, data, part);
        c->head_size += part;
        const char *blank = memmem(c->head, c->head_size, "\r\n\r\n", 4);
        if (!blank) return false;
        c->head_size = (size_t)(blank - c->head) + 4;
        data += c->head_size - before;
        size -= c->head_size - before;
        read_head(c);
    }
    if (c->framing == CHUNKS) return take_chunks(c, data, size, now);
    take_body(c, data, size, now);
    if (c->framing == UNTIL_END) return false;
    c->left -= size < c->left ? size : c->left;
    return c->left == 0;
}

static void redial(struct connection *c) {
    close(c->fd);
    dial(c);
}

static bool asks_again(struct connection *c) { return (!each || c->asked < each) && now_ns() < stop_at; }

static void next(struct connection *c) {
    if (asks_again(c) && !ask(c)) {
        judge(c, false);
        redial(c);
    }
}

static void serve(struct connection *c, char *buffer) {
    ssize_t got = recv(c->fd, buffer, READ_BYTES, 0);
    if (got < 0 && would_block()) return;
    bool ended = got <= 0, over = false;
    if (!ended) over = c->busy && take(c, buffer, (size_t)got, now_ns());
    else if (c->busy) over = true;
    if (over) judge(c, !ended || (c->in_body && c->framing == UNTIL_END));
    if (ended || (over && c->closes)) redial(c);
    if (over) next(c);
}

static void read_request(const char *target, const char *file, char **headers, int count) {
    FILE *body = fopen(file, "rb");
    if (!body) die(file);
    fseek(body, 0, SEEK_END);
    long size = ftell(body);
    rewind(body);
    size_t room = (size_t)size + 64 * 1024;
    request = must(malloc(room));
    int used = snprintf(request, room, "POST %s HTTP/1.1\r\nhost: %s:%d\r\n", target, inet_ntoa(address.sin_addr),
        ntohs(address.sin_port));
    for (int i = 0; i < count; i++) used += snprintf(request + used, room - (size_t)used, "%s\r\n", headers[i]);
    used += snprintf(request + used, room - (size_t)used, "content-length: %ld\r\n\r\n", size);
    request_size = (size_t)used + fread(request + used, 1, (size_t)size, body);
    fclose(body);
    const char *mark = memmem(request, request_size, "########", MARK_BYTES);
    mark_at = mark ? (size_t)(mark - request) : 0;
}

static bool any_busy(struct connection *all, int count) {
    for (int i = 0; i < count; i++)
        if (all[i].busy) return true;
    return false;
}

/* Start those whose moment has come; returns whether some are still to start. */
static bool start_due(struct connection *all, int count) {
    bool waiting = false;
    uint64_t now = now_ns();
    for (int i = 0; i < count; i++) {
        if (all[i].asked) continue;
        if (all[i].starts <= now) next(&all[i]);
        waiting = waiting || (!all[i].asked && now < stop_at);
    }
    return waiting;
}

int main(int count, char **arguments) {
    if (count < 11) return fprintf(stderr, "see the top of load.c\n"), 2;
    raise_descriptor_limit();
    address.sin_family = AF_INET;
    address.sin_port = htons((uint16_t)atoi(arguments[2]));
    inet_pton(AF_INET, arguments[1], &address.sin_addr);
    int connections = atoi(arguments[5]);
    each = (unsigned)atoi(arguments[7]);
    wanted_events = (unsigned)atoi(arguments[8]);
    uint64_t spread = strtoull(arguments[9], NULL, 10) * 1000;
    wanted_length = strtoull(arguments[10], NULL, 10);
    read_request(arguments[3], arguments[4], arguments + 11, count - 11);
    sequence = now_ns() / 1000; /* numbers differ between runs too */
    poller = epoll_create1(0);
    char *buffer = must(malloc(READ_BYTES));
    struct connection *all = must(calloc((size_t)connections, sizeof *all));
    for (int i = 0; i < connections; i++) dial(&all[i]);
    uint64_t began = now_ns();
    stop_at = began + (uint64_t)(atof(arguments[6]) * 1e9);
    for (int i = 0; i < connections; i++) all[i].starts = began + spread * (uint64_t)i / (uint64_t)connections;
    uint64_t give_up = stop_at + DRAIN_NS;
    bool waiting = true;
    while ((waiting || any_busy(all, connections)) && now_ns() < give_up) {
        if (waiting) waiting = start_due(all, connections);
        struct epoll_event events[EVENTS_AT_ONCE];
        int ready = epoll_wait(poller, events, EVENTS_AT_ONCE, waiting ? 0 : 100);
        for (int i = 0; i < ready; i++) {
            struct connection *c = events[i].data.ptr;
            if (events[i].events & EPOLLOUT && !send_rest(c)) {
                judge(c, false);
                redial(c);
                next(c);
            } else if (events[i].events & (EPOLLIN | EPOLLHUP | EPOLLERR)) serve(c, buffer);
        }
    }
    for (int i = 0; i < connections; i++)
        if (all[i].busy) judge(&all[i], false);
    double seconds = (double)(now_ns() - began) / 1e9;
    printf("{\"requests\": %llu, \"errors\": %llu, \"seconds\": %.6f, \"bytes\": %llu, \"events\": %llu",
        (unsigned long long)good, (unsigned long long)bad, seconds, (unsigned long long)bytes_received,
        (unsigned long long)events_received);
    print_samples("first", &first_bytes);
    print_samples("total", &totals);
    print_samples("delay", &delays);
    printf(", \"complaint\": \"%s\"}\n", complaint);
    return 0;
}
