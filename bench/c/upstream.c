/* A fake model provider: one thread, one epoll, answers prepared ahead.
 *
 *     upstream [PORT]          says "listening PORT" once it does; port 0 or none: a free one
 *
 * What it answers is named by the request's body, so that it works behind any gateway that passes the model's name on:
 *     bench-json                       a message of 2 kB
 *     bench-stream-EVENTS-MICROSECONDS a stream of so many text events, each a chunk and a send() of its own, so far
 *                                      apart by a fixed schedule; 0: as fast as they are taken
 * A stream asked for at /chat/completions is one of OpenAI's chunks, else one of Anthropic's events.
 */
#include "net.h"
#include <sys/timerfd.h>

enum { FIRST_BUFFER = 64 * 1024, EVENTS_AT_ONCE = 256, MESSAGE_BYTES = 2000 };

static const char STREAM_HEAD[] =
    "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream; charset=utf-8\r\ncache-control: no-cache\r\n"
    "request-id: req_bench\r\nanthropic-organization-id: bench\r\n"
    "anthropic-ratelimit-requests-limit: 4000\r\nanthropic-ratelimit-requests-remaining: 3999\r\n"
    "transfer-encoding: chunked\r\n\r\n";
static const char OPENING[] =
    "event: message_start\ndata: {\"type\":\"message_start\",\"message\":{\"id\":\"msg_bench\",\"type\":\"message\","
    "\"role\":\"assistant\",\"model\":\"bench\",\"content\":[],\"stop_reason\":null,\"stop_sequence\":null,"
    "\"usage\":{\"input_tokens\":25,\"output_tokens\":1}}}\n\n"
    "event: content_block_start\ndata: {\"type\":\"content_block_start\",\"index\":0,"
    "\"content_block\":{\"type\":\"text\",\"text\":\"\"}}\n\n";
static const char ENDING[] =
    "event: content_block_stop\ndata: {\"type\":\"content_block_stop\",\"index\":0}\n\n"
    "event: message_delta\ndata: {\"type\":\"message_delta\",\"delta\":{\"stop_reason\":\"end_turn\","
    "\"stop_sequence\":null},\"usage\":{\"output_tokens\":200}}\n\n"
    "event: message_stop\ndata: {\"type\":\"message_stop\"}\n\n";
static const char CHAT_CHUNK[] =
    "data: {\"id\":\"chatcmpl-bench\",\"object\":\"chat.completion.chunk\",\"created\":1795230250,\"model\":\"bench\","
    "\"choices\":[{\"index\":0,\"delta\":{\"content\":\"";
static const char CHAT_CHUNK_END[] = "\"},\"logprobs\":null,\"finish_reason\":null}]}\n\n";
static const char CHAT_OPENING[] =
    "data: {\"id\":\"chatcmpl-bench\",\"object\":\"chat.completion.chunk\",\"created\":1795230250,\"model\":\"bench\","
    "\"choices\":[{\"index\":0,\"delta\":{\"role\":\"assistant\",\"content\":\"\"},\"finish_reason\":null}]}\n\n";
static const char CHAT_ENDING[] =
    "data: {\"id\":\"chatcmpl-bench\",\"object\":\"chat.completion.chunk\",\"created\":1795230250,\"model\":\"bench\","
    "\"choices\":[{\"index\":0,\"delta\":{},\"finish_reason\":\"stop\"}]}\n\n"
    "data: {\"id\":\"chatcmpl-bench\",\"object\":\"chat.completion.chunk\",\"created\":1795230250,\"model\":\"bench\","
    "\"choices\":[],\"usage\":{\"prompt_tokens\":25,\"completion_tokens\":200,\"total_tokens\":225}}\n\n"
    "data: [DONE]\n\n";
static const char FILLER[] = "aaaaaaaaaaaaaaaaa";

struct connection {
    int fd;
    char *in; /* the request so far */
    size_t have, room;
    size_t head_size; /* 0 until the head is whole */
    size_t whole;     /* size of head and body; 0 when the body comes in chunks */
    const char *out;  /* what the socket has not taken yet */
    size_t out_left;
    bool waits_writable;
    char event[1024];
    bool chat; /* the running stream is of chunks */
    unsigned events, sent; /* of the running stream; events == 0: none runs */
    uint64_t began, gap;   /* nanoseconds */
    int place;             /* in `streams` */
};

static int poller;
static struct connection **streams;
static int running, places;
static char *message;
static size_t message_size;
static char *opening_chunk, *ending_chunk, *chat_opening_chunk, *chat_ending_chunk;
static size_t opening_size, ending_size, chat_opening_size, chat_ending_size;

static void prepare_answers(void) {
    char body[MESSAGE_BYTES + 1];
    int used = snprintf(body, sizeof body,
        "{\"id\":\"msg_bench\",\"type\":\"message\",\"role\":\"assistant\",\"model\":\"bench\",\"stop_reason\":"
        "\"end_turn\",\"stop_sequence\":null,\"usage\":{\"input_tokens\":25,\"output_tokens\":400},"
        "\"content\":[{\"type\":\"text\",\"text\":\"");
    memset(body + used, 'a', MESSAGE_BYTES - (size_t)used);
    memcpy(body + MESSAGE_BYTES - 4, "\"}]}", 4);
    body[MESSAGE_BYTES] = 0;
    message_size = (size_t)asprintf(&message,
        "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\nrequest-id: req_bench\r\n"
        "anthropic-organization-id: bench\r\nanthropic-ratelimit-requests-limit: 4000\r\n"
        "anthropic-ratelimit-requests-remaining: 3999\r\ncontent-length: %d\r\n\r\n%s", MESSAGE_BYTES, body);
    opening_size = (size_t)asprintf(&opening_chunk, "%s%zx\r\n%s\r\n", STREAM_HEAD, sizeof OPENING - 1, OPENING);
    ending_size = (size_t)asprintf(&ending_chunk, "%zx\r\n%s\r\n0\r\n\r\n", sizeof ENDING - 1, ENDING);
    chat_opening_size =
        (size_t)asprintf(&chat_opening_chunk, "%s%zx\r\n%s\r\n", STREAM_HEAD, sizeof CHAT_OPENING - 1, CHAT_OPENING);
    chat_ending_size =
        (size_t)asprintf(&chat_ending_chunk, "%zx\r\n%s\r\n0\r\n\r\n", sizeof CHAT_ENDING - 1, CHAT_ENDING);
}

static void watch(struct connection *c, bool writable) {
    if (c->waits_writable == writable) return;
    struct epoll_event wanted = {.events = EPOLLIN | (writable ? EPOLLOUT : 0), .data.ptr = c};
    epoll_ctl(poller, EPOLL_CTL_MOD, c->fd, &wanted);
    c->waits_writable = writable;
}

static void stop_streaming(struct connection *c) {
    if (!c->events) return;
    streams[c->place] = streams[--running];
    streams[c->place]->place = c->place;
    c->events = 0;
}

static void forget(struct connection *c) {
    stop_streaming(c);
    close(c->fd);
    free(c->in);
    c->fd = -1; /* freed after the round: later events of it may name it */
}

/* True when everything was taken. */
static bool flush(struct connection *c) {
    while (c->out_left) {
        ssize_t taken = send(c->fd, c->out, c->out_left, MSG_NOSIGNAL);
        if (taken < 0) {
            if (!would_block()) return forget(c), false;
            return watch(c, true), false;
        }
        c->out += taken;
        c->out_left -= (size_t)taken;
    }
    watch(c, false);
    return true;
}

static bool answer(struct connection *c, const char *bytes, size_t size) {
    c->out = bytes;
    c->out_left = size;
    return flush(c);
}

static void start_streaming(struct connection *c, const char *numbers) {
    char *end;
    c->events = (unsigned)strtoul(numbers, &end, 10);
    c->gap = strtoull(*end == '-' ? end + 1 : "0", NULL, 10) * 1000;
    c->sent = 0;
    c->began = now_ns();
    if (running == places) streams = must(realloc(streams, sizeof *streams * (size_t)(places += 256)));
    c->place = running;
    streams[running++] = c;
    if (c->chat) answer(c, chat_opening_chunk, chat_opening_size);
    else answer(c, opening_chunk, opening_size);
}

/* The next event of a stream whose last one was taken. */
static void send_event(struct connection *c) {
    if (c->sent == c->events) {
        stop_streaming(c);
        if (c->chat) answer(c, chat_ending_chunk, chat_ending_size);
        else answer(c, ending_chunk, ending_size);
        return;
    }
    char text[512];
    int size = c->chat ? snprintf(text, sizeof text, "%s" STAMP_FORMAT "%s%s", CHAT_CHUNK, c->sent++,
        (unsigned long long)now_ns(), FILLER, CHAT_CHUNK_END) : snprintf(text, sizeof text,
        "event: content_block_delta\ndata: {\"type\":\"content_block_delta\",\"index\":0,\"delta\":{\"type\":"
        "\"text_delta\",\"text\":\"" STAMP_FORMAT "%s\"}}\n\n", c->sent++, (unsigned long long)now_ns(), FILLER);
    int chunk = snprintf(c->event, sizeof c->event, "%x\r\n%s\r\n", (unsigned)size, text);
    answer(c, c->event, (size_t)chunk);
}

static void respond(struct connection *c) {
    const char *body = c->in + c->head_size;
    const char *wanted = memmem(body, c->have - c->head_size, "bench-stream-", 13);
    c->chat = memmem(c->in, c->head_size, "/chat/completions", 17) != NULL;
    c->have = c->head_size = c->whole = 0;
    if (wanted) start_streaming(c, wanted + 13);
    else answer(c, message, message_size);
}

static bool is_whole(struct connection *c) {
    if (!c->head_size) {
        const char *blank = memmem(c->in, c->have, "\r\n\r\n", 4);
        if (!blank) return false;
        c->head_size = (size_t)(blank - c->in) + 4;
        const char *length = header_value(c->in, c->head_size, "content-length");
        bool chunked = is_chunked(c->in, c->head_size);
        c->whole = chunked ? 0 : c->head_size + (length ? strtoull(length, NULL, 10) : 0);
    }
    if (c->whole) return c->have >= c->whole;
    return c->have >= c->head_size + 5 && memcmp(c->in + c->have - 5, "0\r\n\r\n", 5) == 0;
}

static void take(struct connection *c) {
    for (;;) {
        if (c->room - c->have < FIRST_BUFFER / 2) c->in = must(realloc(c->in, c->room = c->room * 2 + FIRST_BUFFER));
        ssize_t got = recv(c->fd, c->in + c->have, c->room - c->have - 1, 0);
        if (got < 0 && would_block()) return;
        if (got <= 0) return forget(c);
        c->have += (size_t)got;
        c->in[c->have] = 0;
        if (is_whole(c)) return respond(c);
    }
}

static void welcome(int listener) {
    for (int fd; (fd = accept(listener, NULL, NULL)) >= 0;) {
        struct connection *c = must(calloc(1, sizeof *c));
        make_quick(fd);
        c->fd = fd;
        struct epoll_event wanted = {.events = EPOLLIN, .data.ptr = c};
        epoll_ctl(poller, EPOLL_CTL_ADD, fd, &wanted);
    }
}

/* One event of each stream that is due. Returns when the next is due in nanoseconds from now: 0 now, UINT64_MAX never. */
static uint64_t serve_streams(void) {
    uint64_t now = now_ns(), next = UINT64_MAX;
    for (int i = running - 1; i >= 0; i--) { /* backwards: a stream that ends is replaced by the last */
        struct connection *c = streams[i];
        if (c->out_left) continue; /* the socket says when it takes more */
        uint64_t due = c->began + c->gap * c->sent;
        if (due <= now) {
            send_event(c);
            due = c->began + c->gap * c->sent;
        }
        uint64_t left = due > now ? due - now : 0;
        if (c->fd < 0) free(c);
        else if (c->events && !c->out_left && left < next) next = left;
    }
    return next;
}

static int listen_on(int port) {
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
    socklen_t size = sizeof address;
    int one = 1, fd = socket(AF_INET, SOCK_STREAM, 0);
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
    if (bind(fd, (struct sockaddr *)&address, size) || listen(fd, 4096)) die("listen");
    getsockname(fd, (struct sockaddr *)&address, &size);
    fcntl(fd, F_SETFL, O_NONBLOCK);
    printf("listening %d\n", ntohs(address.sin_port));
    fflush(stdout);
    return fd;
}

int main(int count, char **arguments) {
    raise_descriptor_limit();
    prepare_answers();
    poller = epoll_create1(0);
    int listener = listen_on(count > 1 ? atoi(arguments[1]) : 0);
    int alarm_clock = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK);
    struct epoll_event wanted = {.events = EPOLLIN, .data.ptr = NULL};
    epoll_ctl(poller, EPOLL_CTL_ADD, listener, &wanted);
    struct epoll_event ticks = {.events = EPOLLIN, .data.ptr = &alarm_clock};
    epoll_ctl(poller, EPOLL_CTL_ADD, alarm_clock, &ticks);
    for (;;) {
        uint64_t next = serve_streams();
        if (next && next != UINT64_MAX) {
            struct itimerspec when = {.it_value = {(time_t)(next / 1000000000), (long)(next % 1000000000)}};
            timerfd_settime(alarm_clock, 0, &when, NULL);
        }
        struct epoll_event events[EVENTS_AT_ONCE];
        int ready = epoll_wait(poller, events, EVENTS_AT_ONCE, next ? -1 : 0);
        for (int i = 0; i < ready; i++) {
            struct connection *c = events[i].data.ptr;
            uint64_t rings;
            if (!c) welcome(listener);
            else if (events[i].data.ptr == &alarm_clock) (void)!read(alarm_clock, &rings, sizeof rings);
            else {
                if (events[i].events & EPOLLOUT) flush(c);
                if (c->fd >= 0 && events[i].events & (EPOLLIN | EPOLLHUP | EPOLLERR)) take(c);
                if (c->fd < 0) free(c);
            }
        }
    }
}
