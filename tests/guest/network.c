/* The network as a program sees it: names, interfaces, tables of sockets, the less usual ways to send.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 *   network host|silo            checks
 *   network addresses            print `name ADDRESS`, `interface ADDRESS`, `adapter ADDRESS` per own address
 *   network resolve NAME         print `found ADDRESS` per address, or `unknown`
 *   network datagrams PORT       answer datagrams: `from ADDRESS`; print `bound`, say ready
 *   network ask ADDRESS PORT     send a datagram, print the answer and where it came from, or `nothing`
 *   network bind ADDRESS PORT    print `bound`, or `refused ERROR`
 *   network send PORT            send a datagram to 127.0.0.1 from the socket that the standard input says */

#include "address.h"
#include "child.h"

#include <iphlpapi.h>

static BOOL is_own(const IN_ADDR *address)
{
    SOCKET s = socket(AF_INET, SOCK_STREAM, 0);
    struct sockaddr_in to = {.sin_family = AF_INET, .sin_addr = *address};
    BOOL bound = !bind(s, (struct sockaddr *)&to, sizeof(to));

    closesocket(s);
    return bound;
}

static const char *v4_text(const IN_ADDR *address)
{
    static char text[4][INET_ADDRSTRLEN];
    static int next;

    next = (next + 1) % 4;
    return inet_ntop(AF_INET, (void *)address, text[next], sizeof(text[next]));
}

static int interfaces(IN_ADDR *found, int room)
{
    INTERFACE_INFO list[32];
    SOCKET s = socket(AF_INET, SOCK_DGRAM, 0);
    DWORD size = 0;
    int i, n = 0;

    if (!WSAIoctl(s, SIO_GET_INTERFACE_LIST, NULL, 0, list, sizeof(list), &size, NULL, NULL))
        for (i = 0; i < (int)(size / sizeof(list[0])) && n < room; i++)
            found[n++] = list[i].iiAddress.AddressIn.sin_addr;
    closesocket(s);
    return n;
}

static int adapters(IN_ADDR *found, int room)
{
    ULONG size = 65536;
    IP_ADAPTER_ADDRESSES *list = malloc(size), *a;
    IP_ADAPTER_UNICAST_ADDRESS *u;
    int n = 0;

    if (!GetAdaptersAddresses(AF_INET, 0, NULL, list, &size))
        for (a = list; a; a = a->Next)
            for (u = a->FirstUnicastAddress; u && n < room; u = u->Next)
                found[n++] = ((struct sockaddr_in *)u->Address.lpSockaddr)->sin_addr;
    free(list);
    return n;
}

static BOOL contains(const IN_ADDR *list, int n, const IN_ADDR *wanted)
{
    int i;

    for (i = 0; i < n; i++)
        if (!memcmp(&list[i], wanted, sizeof(*wanted)))
            return TRUE;
    return FALSE;
}

/* The machine's name, its addresses and its interfaces belong together. */
static void check_names(BOOL silo)
{
    struct addrinfo hints = {.ai_family = AF_INET, .ai_socktype = SOCK_STREAM, .ai_flags = AI_CANONNAME}, *list = NULL;
    char name[256] = "", back[256] = "";
    IN_ADDR found[64], first = {0};
    struct hostent *host;
    SOCKET server, client;
    int n;

    CHECK_WSA("gethostname", !gethostname(name, sizeof(name)) && name[0] && name[strlen(name) - 1] != '.');
    host = gethostbyname(name);
    if (!CHECK_WSA("gethostbyname", host && host->h_addrtype == AF_INET && host->h_addr_list[0]))
        return;
    first = *(IN_ADDR *)host->h_addr_list[0];
    check(!strcmp(host->h_name, name), "gethostbyname-name", "%s, not %s", host->h_name, name);
    check(is_own(&first), "own-name-own-address", "%s can't be bound", v4_text(&first));
    check(gethostbyname(NULL) != NULL, "gethostbyname-null", "error %d", WSAGetLastError());
    if (silo) {
        CHECK_WSA("getaddrinfo-own-name", !getaddrinfo(name, "80", &hints, &list));
        if (list) {
            struct sockaddr_in *in = (struct sockaddr_in *)list->ai_addr;

            check(!memcmp(&in->sin_addr, &first, sizeof(first)), "getaddrinfo-same", "%s, not %s", v4_text(&in->sin_addr),
                  v4_text(&first));
            check(list->ai_canonname && !strcmp(list->ai_canonname, name), "canonical-name", "%s",
                  list->ai_canonname ? list->ai_canonname : "none");
            check(!getnameinfo(list->ai_addr, (socklen_t)list->ai_addrlen, back, sizeof(back), NULL, 0, 0)
                      && !strcmp(back, name),
                  "getnameinfo", "%s", back);
            freeaddrinfo(list);
        }
        n = interfaces(found, 64);
        check(contains(found, n, &first), "interface-list", "%s is not among %d", v4_text(&first), n);
        n = adapters(found, 64);
        check(contains(found, n, &first), "adapters", "%s is not among %d", v4_text(&first), n);
        host = gethostbyaddr((char *)&first, sizeof(first), AF_INET);
        check(host && !strcmp(host->h_name, name), "gethostbyaddr", "%s", host ? host->h_name : "none");
    }
    /* a program that looks its address up, listens there and connects to it */
    server = listening(AF_INET, v4_text(&first), 0);
    client = connected(AF_INET, v4_text(&first), own_port(server));
    if (CHECK_WSA("own-address-connect", client != INVALID_SOCKET)) {
        struct sockaddr_storage from = {0};
        SOCKET other = accepted(server, &from);

        if (strcmp(v4_text(&first), "127.12.34.56")) { /* Wine's, where a machine has no other address */
            check_own_name("own-address-listener", server, v4_text(&first), 0);
            check_peer_name("own-address-peer", client, v4_text(&first), own_port(server));
            check_own_name("own-address-name", client, v4_text(&first), 0);
            check_own_name("own-address-accepted", other, v4_text(&first), own_port(server));
            check_address("own-address-from", &from, v4_text(&first), own_port(client));
        }
        CHECK_WSA("own-address-talk", can_send(client, other));
        closesocket(other);
    }
    closesocket(client), closesocket(server);
    check(gethostbyname("no-such-name.invalid") == NULL, "unknown-name", "was found");
}

/* Row of a listener in GetExtendedTcpTable; its own process, the address as it was bound. */
static void check_tcp_table(void)
{
    SOCKET server = listening(AF_INET, "0.0.0.0", 0), client = connected(AF_INET, "127.0.0.1", own_port(server));
    ULONG size = 1 << 20;
    MIB_TCPTABLE_OWNER_PID *table = malloc(size);
    MIB_TCPTABLE *plain = (MIB_TCPTABLE *)table;
    BOOL listener = FALSE, connection = FALSE, strange = FALSE;
    DWORD i;

    CHECK("tcp-table", !GetExtendedTcpTable(table, &size, FALSE, AF_INET, TCP_TABLE_OWNER_PID_ALL, 0));
    for (i = 0; i < table->dwNumEntries; i++) {
        const MIB_TCPROW_OWNER_PID *row = &table->table[i];

        if (row->dwState == MIB_TCP_STATE_LISTEN && row->dwLocalPort == htons((u_short)own_port(server)))
            listener = row->dwLocalAddr == 0;
        if (row->dwState == MIB_TCP_STATE_ESTAB && row->dwLocalPort == htons((u_short)own_port(client)))
            connection = row->dwLocalAddr == htonl(INADDR_LOOPBACK) && row->dwRemoteAddr == htonl(INADDR_LOOPBACK);
    }
    check(listener, "tcp-table-listener", "not among %lu rows as 0.0.0.0", table->dwNumEntries);
    check(connection, "tcp-table-connection", "not among %lu rows as 127.0.0.1", table->dwNumEntries);
    size = 1 << 20;
    CHECK("tcp-table-plain", !GetTcpTable(plain, &size, TRUE));
    for (listener = FALSE, i = 0; i < plain->dwNumEntries; i++) {
        listener |= plain->table[i].dwLocalPort == htons((u_short)own_port(server));
        strange |= plain->table[i].dwState < MIB_TCP_STATE_CLOSED || plain->table[i].dwState > MIB_TCP_STATE_DELETE_TCB;
    }
    check(listener && !strange, "tcp-table-plain-listener", "not among %lu rows", plain->dwNumEntries);
    free(table);
    closesocket(server), closesocket(client);
}

static void check_udp_table(void)
{
    SOCKET s = bound(AF_INET, SOCK_DGRAM, "127.0.0.1", 0);
    ULONG size = 1 << 20;
    MIB_UDPTABLE *table = malloc(size);
    BOOL found = FALSE;
    DWORD i;

    CHECK("udp-table", !GetUdpTable(table, &size, FALSE));
    for (i = 0; i < table->dwNumEntries; i++)
        if (table->table[i].dwLocalPort == htons((u_short)own_port(s)))
            found = table->table[i].dwLocalAddr == htonl(INADDR_LOOPBACK);
    check(found, "udp-table-row", "not among %lu rows as 127.0.0.1", table->dwNumEntries);
    free(table);
    closesocket(s);
}

/* Where a datagram arrived, from the control message that WSARecvMsg brings. */
static void check_packet_info(void)
{
    SOCKET server = bound(AF_INET, SOCK_DGRAM, "127.0.0.1", 0), client = socket(AF_INET, SOCK_DGRAM, 0);
    LPFN_WSARECVMSG receive = (LPFN_WSARECVMSG)extension(server, (GUID)WSAID_WSARECVMSG);
    struct sockaddr_storage to, from = {0};
    int size = make_address(&to, AF_INET, "127.0.0.1", own_port(server));
    char text[16] = "", control[256];
    WSABUF data = {sizeof(text), text};
    WSAMSG message = {(struct sockaddr *)&from, sizeof(from), &data, 1, {sizeof(control), control}, 0};
    const WSACMSGHDR *header;
    const IN_PKTINFO *info = NULL;
    DWORD on = 1, got = 0;

    CHECK_WSA("pktinfo-on", !setsockopt(server, IPPROTO_IP, IP_PKTINFO, (char *)&on, sizeof(on)));
    sendto(client, "info", 5, 0, (struct sockaddr *)&to, size);
    CHECK_WSA("recvmsg", receive && readable(server) && !receive(server, &message, &got, NULL, NULL) && got == 5);
    check_address("recvmsg-from", &from, "127.0.0.1", own_port(client));
    for (header = WSA_CMSG_FIRSTHDR(&message); header; header = WSA_CMSG_NXTHDR(&message, header))
        if (header->cmsg_level == IPPROTO_IP && header->cmsg_type == IP_PKTINFO)
            info = (const IN_PKTINFO *)WSA_CMSG_DATA(header);
    check(info && !strcmp(v4_text(&info->ipi_addr), "127.0.0.1"), "pktinfo-address", "%s",
          info ? v4_text(&info->ipi_addr) : "none");
    closesocket(server), closesocket(client);
}

/* A datagram socket that answers only its peer, and one of IPv6 that both families reach. */
static void check_connected_datagrams(void)
{
    SOCKET server = bound(AF_INET, SOCK_DGRAM, "0.0.0.0", 0), client = socket(AF_INET, SOCK_DGRAM, 0);
    struct sockaddr_storage to, from = {0};
    int size = make_address(&to, AF_INET, "127.0.0.1", own_port(server)), from_size = sizeof(from);
    char text[16] = "";

    CHECK_WSA("connect-datagram", !connect(client, (struct sockaddr *)&to, size));
    check_own_name("connected-datagram-name", client, "127.0.0.1", 0);
    CHECK_WSA("connected-send", send(client, "hi", 3, 0) == 3);
    CHECK_WSA("connected-received", received_from(server, text, sizeof(text), &from) == 3);
    check_address("connected-from", &from, "127.0.0.1", own_port(client));
    CHECK_WSA("connected-answer", sendto(server, "ho", 3, 0, (struct sockaddr *)&from, from_size) == 3);
    CHECK_WSA("connected-answered", readable(client) && recv(client, text, sizeof(text), 0) == 3 && !strcmp(text, "ho"));
    closesocket(server), closesocket(client);
}

static void check_v6_only(void)
{
    SOCKET s = socket(AF_INET6, SOCK_STREAM, 0);
    struct sockaddr_storage any;
    int size = make_address(&any, AF_INET6, "::", 0), length = sizeof(DWORD);
    DWORD only = 0;

    CHECK_WSA("v6only-default", !getsockopt(s, IPPROTO_IPV6, IPV6_V6ONLY, (char *)&only, &length) && only);
    CHECK_WSA("v6only-bind", !bind(s, (struct sockaddr *)&any, size) && !listen(s, 1));
    CHECK_WSA("v6only-kept", !getsockopt(s, IPPROTO_IPV6, IPV6_V6ONLY, (char *)&only, &length) && only);
    closesocket(s);
}

/* One socket through two handles: what is known of it does not depend on who asks. */
static void check_duplicate(void)
{
    SOCKET server = listening(AF_INET, "0.0.0.0", 0), twin, client;
    WSAPROTOCOL_INFOW info;

    CHECK_WSA("duplicate", !WSADuplicateSocketW(server, GetCurrentProcessId(), &info));
    twin = WSASocketW(AF_INET, SOCK_STREAM, 0, &info, 0, WSA_FLAG_OVERLAPPED);
    if (!CHECK_WSA("duplicate-open", twin != INVALID_SOCKET))
        return;
    check_own_name("duplicate-name", twin, "0.0.0.0", own_port(server));
    client = connected(AF_INET, "127.0.0.1", own_port(twin));
    CHECK_WSA("duplicate-connect", client != INVALID_SOCKET);
    closesocket(twin), closesocket(server), closesocket(client);
}

static int send_from(SOCKET s, int port)
{
    struct sockaddr_storage to;
    int size = make_address(&to, AF_INET, "127.0.0.1", port);

    return sendto(s, "hi", 3, 0, (struct sockaddr *)&to, size);
}

static SOCKET same(SOCKET s)
{
    return s;
}

static SOCKET by_winsock(SOCKET s)
{
    WSAPROTOCOL_INFOW info;

    WSADuplicateSocketW(s, GetCurrentProcessId(), &info);
    return WSASocketW(AF_INET, SOCK_DGRAM, 0, &info, 0, WSA_FLAG_OVERLAPPED);
}

/* A datagram socket that is bound and not used yet is bound for all that have it. */
static void check_bound_datagrams(const char *way, SOCKET (*other)(SOCKET))
{
    SOCKET receiver = bound(AF_INET, SOCK_DGRAM, "127.0.0.1", 0), s = bound(AF_INET, SOCK_DGRAM, "127.0.0.1", 0), twin = other(s);
    struct sockaddr_storage from = {0}, to;
    char text[16] = "", label[64];
    int size = make_address(&to, AF_INET, "127.0.0.1", 0);

    snprintf(label, sizeof(label), "bound-%s-again", way);
    check(bind(twin, (struct sockaddr *)&to, size) == SOCKET_ERROR && WSAGetLastError() == WSAEINVAL, label, "error %d",
          WSAGetLastError());
    snprintf(label, sizeof(label), "bound-%s-send", way);
    CHECK_WSA(label, send_from(twin, own_port(receiver)) == 3 && received_from(receiver, text, sizeof(text), &from) == 3);
    snprintf(label, sizeof(label), "bound-%s-from", way);
    check_address(label, &from, "127.0.0.1", own_port(s));
    if (twin != s)
        closesocket(twin);
    closesocket(s);

    s = bound(AF_INET, SOCK_DGRAM, "127.0.0.1", 0);
    twin = other(s);
    snprintf(label, sizeof(label), "bound-%s-name", way);
    check_own_name(label, twin, "127.0.0.1", own_port(s));
    size = make_address(&to, AF_INET, "127.0.0.1", own_port(receiver));
    snprintf(label, sizeof(label), "bound-%s-connect", way);
    CHECK_WSA(label, !connect(twin, (struct sockaddr *)&to, size) && send(s, "ho", 3, 0) == 3);
    CHECK_WSA(label, received_from(receiver, text, sizeof(text), &from) == 3 && !strcmp(text, "ho"));
    check_address(label, &from, "127.0.0.1", own_port(s));
    snprintf(label, sizeof(label), "bound-%s-once", way);
    check(!readable(receiver), label, "more than was sent");
    if (twin != s)
        closesocket(twin);
    closesocket(s), closesocket(receiver);
}

/* The same for another process, which is given the socket through its standard input. */
static void check_given_datagrams(void)
{
    SOCKET receiver = bound(AF_INET, SOCK_DGRAM, "127.0.0.1", 0), s = bound(AF_INET, SOCK_DGRAM, "127.0.0.1", 0);
    SECURITY_ATTRIBUTES inherit = {sizeof(inherit), NULL, TRUE};
    STARTUPINFOA startup = {.cb = sizeof(startup), .dwFlags = STARTF_USESTDHANDLES};
    struct sockaddr_storage from = {0};
    char line[64], text[16] = "";
    PROCESS_INFORMATION child;
    WSAPROTOCOL_INFOW info;
    DWORD written;
    HANDLE input;

    CHECK("given-pipe", CreatePipe(&startup.hStdInput, &input, &inherit, 0));
    startup.hStdOutput = GetStdHandle(STD_OUTPUT_HANDLE);
    startup.hStdError = GetStdHandle(STD_ERROR_HANDLE);
    snprintf(line, sizeof(line), "send %d", own_port(receiver));
    if (!CHECK("given-start", run(line, 0, &startup, &child)))
        return;
    CHECK_WSA("given-duplicate", !WSADuplicateSocketW(s, child.dwProcessId, &info));
    CHECK("given-write", WriteFile(input, &info, sizeof(info), &written, NULL));
    check(end_of(&child) == 0, "given-send", "the child could not send");
    CHECK_WSA("given-received", received_from(receiver, text, sizeof(text), &from) == 3);
    check_address("given-from", &from, "127.0.0.1", own_port(s));
    CloseHandle(startup.hStdInput), CloseHandle(input);
    closesocket(s), closesocket(receiver);
}

static void check_transmit_file(void)
{
    SOCKET server = listening(AF_INET, "127.0.0.1", 0), client = connected(AF_INET, "127.0.0.1", own_port(server));
    struct sockaddr_storage from = {0};
    SOCKET other = accepted(server, &from);
    HANDLE file = CreateFileA("C:\\sent.txt", GENERIC_READ | GENERIC_WRITE, 0, NULL, CREATE_ALWAYS,
                              FILE_ATTRIBUTE_TEMPORARY | FILE_FLAG_DELETE_ON_CLOSE, NULL);
    char text[16] = "";
    DWORD done;

    WriteFile(file, "from a file", 12, &done, NULL);
    SetFilePointer(file, 0, NULL, FILE_BEGIN);
    CHECK_WSA("transmit-file", TransmitFile(client, file, 0, 0, NULL, NULL, 0));
    CHECK_WSA("transmitted", readable(other) && recv(other, text, sizeof(text), 0) == 12 && !strcmp(text, "from a file"));
    CloseHandle(file), closesocket(server), closesocket(client), closesocket(other);
}

/* A group joined on the interface that the machine's name leads to. */
static void check_multicast(void)
{
    SOCKET receiver = bound(AF_INET, SOCK_DGRAM, "0.0.0.0", 0), sender = socket(AF_INET, SOCK_DGRAM, 0);
    struct ip_mreq group = {0};
    struct sockaddr_storage to, from;
    int size = make_address(&to, AF_INET, "239.255.77.7", own_port(receiver));
    char text[16] = "", name[256];
    struct hostent *host;

    gethostname(name, sizeof(name));
    host = gethostbyname(name);
    inet_pton(AF_INET, "239.255.77.7", &group.imr_multiaddr);
    if (host && (BYTE)host->h_addr_list[0][0] != 127)
        group.imr_interface = *(IN_ADDR *)host->h_addr_list[0];
    else if (host && memcmp(host->h_addr_list[0], "\x7f\x0c\x22\x38", 4))
        group.imr_interface = *(IN_ADDR *)host->h_addr_list[0];
    if (setsockopt(receiver, IPPROTO_IP, IP_ADD_MEMBERSHIP, (char *)&group, sizeof(group))
        || sendto(sender, "all", 4, 0, (struct sockaddr *)&to, size) != 4) {
        printf("note this machine has no multicast: error %d\n", WSAGetLastError());
    } else {
        CHECK_WSA("multicast", received_from(receiver, text, sizeof(text), &from) == 4 && !strcmp(text, "all"));
        CHECK_WSA("multicast-leave",
                  !setsockopt(receiver, IPPROTO_IP, IP_DROP_MEMBERSHIP, (char *)&group, sizeof(group)));
    }
    closesocket(receiver), closesocket(sender);
}

static void check_broadcast(void)
{
    SOCKET receiver = bound(AF_INET, SOCK_DGRAM, "0.0.0.0", 0), sender = bound(AF_INET, SOCK_DGRAM, "0.0.0.0", 0);
    struct sockaddr_storage to, from;
    int size = make_address(&to, AF_INET, "255.255.255.255", own_port(receiver));
    char text[16] = "";
    DWORD on = 1;

    setsockopt(sender, SOL_SOCKET, SO_BROADCAST, (char *)&on, sizeof(on));
    if (sendto(sender, "all", 4, 0, (struct sockaddr *)&to, size) != 4)
        printf("note this machine has no broadcast: error %d\n", WSAGetLastError());
    else
        CHECK_WSA("broadcast", received_from(receiver, text, sizeof(text), &from) == 4);
    closesocket(receiver), closesocket(sender);
}

/* An accept that is called off, and its buffer used for another. */
static void check_cancelled_accept(void)
{
    SOCKET server = listening(AF_INET, "0.0.0.0", 0), other = socket(AF_INET, SOCK_STREAM, 0), client;
    LPFN_ACCEPTEX accept_ex = (LPFN_ACCEPTEX)extension(server, (GUID)WSAID_ACCEPTEX);
    LPFN_GETACCEPTEXSOCKADDRS addresses =
        (LPFN_GETACCEPTEXSOCKADDRS)extension(server, (GUID)WSAID_GETACCEPTEXSOCKADDRS);
    OVERLAPPED io = {.hEvent = CreateEventW(NULL, TRUE, FALSE, NULL)};
    const DWORD room = sizeof(struct sockaddr_in) + 16;
    struct sockaddr *local, *remote;
    int local_size, remote_size;
    BYTE buffer[128];
    DWORD done;

    accept_ex(server, other, buffer, 0, room, room, &done, &io);
    CHECK_WSA("accept-cancel", CancelIoEx((HANDLE)server, &io));
    check(!finished(server, &io), "accept-cancelled", "it succeeded");
    ResetEvent(io.hEvent);
    closesocket(other);
    other = socket(AF_INET, SOCK_STREAM, 0);
    accept_ex(server, other, buffer, 0, room, room, &done, &io);
    client = connected(AF_INET, "127.0.0.1", own_port(server));
    CHECK_WSA("accept-again", finished(server, &io));
    addresses(buffer, 0, room, room, &local, &local_size, &remote, &remote_size);
    check_address("accept-again-local", (struct sockaddr_storage *)local, "127.0.0.1", own_port(server));
    check_address("accept-again-remote", (struct sockaddr_storage *)remote, "127.0.0.1", own_port(client));
    CloseHandle(io.hEvent), closesocket(server), closesocket(other), closesocket(client);
}

static int run_checks(BOOL silo)
{
    check_names(silo);
    check_tcp_table();
    check_udp_table();
    check_packet_info();
    check_connected_datagrams();
    check_v6_only();
    check_duplicate();
    check_bound_datagrams("socket", same);
    check_bound_datagrams("duplicate", by_winsock);
    check_given_datagrams();
    check_transmit_file();
    check_multicast();
    check_broadcast();
    check_cancelled_accept();
    return finish();
}

static int run_addresses(void)
{
    IN_ADDR found[64];
    struct hostent *host;
    char name[256] = "";
    int i, n;

    gethostname(name, sizeof(name));
    host = gethostbyname(name);
    for (i = 0; host && host->h_addr_list[i]; i++)
        printf("name %s\n", v4_text((IN_ADDR *)host->h_addr_list[i]));
    for (n = interfaces(found, 64), i = 0; i < n; i++)
        printf("interface %s\n", v4_text(&found[i]));
    for (n = adapters(found, 64), i = 0; i < n; i++)
        printf("adapter %s\n", v4_text(&found[i]));
    return 0;
}

static int run_resolve(const char *name)
{
    struct addrinfo hints = {.ai_family = AF_INET, .ai_socktype = SOCK_STREAM}, *list, *a;

    if (getaddrinfo(name, NULL, &hints, &list)) {
        printf("unknown\n");
        return 0;
    }
    for (a = list; a; a = a->ai_next)
        printf("found %s\n", v4_text(&((struct sockaddr_in *)a->ai_addr)->sin_addr));
    return 0;
}

static DWORD WINAPI answer(void *socket)
{
    struct sockaddr_storage from;
    char text[64];
    int size;

    for (;;) {
        size = sizeof(from);
        if (recvfrom((SOCKET)socket, text, sizeof(text), 0, (struct sockaddr *)&from, &size) < 0)
            return 0;
        snprintf(text, sizeof(text), "from %s", text_of(&from));
        sendto((SOCKET)socket, text, (int)strlen(text), 0, (struct sockaddr *)&from, size);
    }
}

static int run_datagrams(int port)
{
    SOCKET s = bound(AF_INET, SOCK_DGRAM, "0.0.0.0", port);

    if (s == INVALID_SOCKET) {
        printf("refused %d\n", WSAGetLastError());
        return 1;
    }
    printf("bound\n");
    CloseHandle(CreateThread(NULL, 0, answer, (void *)s, 0, NULL));
    hold();
    return 0;
}

static int run_ask(const char *address, int port)
{
    SOCKET s = socket(AF_INET, SOCK_DGRAM, 0);
    struct sockaddr_storage to, from;
    int size = make_address(&to, AF_INET, address, port), got;
    char text[64];

    if (sendto(s, "?", 1, 0, (struct sockaddr *)&to, size) != 1) {
        printf("refused %d\n", WSAGetLastError());
        return 0;
    }
    got = received_from(s, text, sizeof(text) - 1, &from);
    text[got > 0 ? got : 0] = 0;
    if (got > 0)
        printf("%s at %s %d\n", text, text_of(&from), port_of(&from));
    else
        printf("nothing\n");
    return 0;
}

static int run_bind(const char *address, int port)
{
    SOCKET s = bound(strchr(address, ':') ? AF_INET6 : AF_INET, SOCK_STREAM, address, port);

    if (s == INVALID_SOCKET)
        printf("refused %d\n", WSAGetLastError());
    else
        printf("bound\n");
    return 0;
}

static int run_send(int port)
{
    WSAPROTOCOL_INFOW info;
    DWORD n;

    if (!ReadFile(GetStdHandle(STD_INPUT_HANDLE), &info, sizeof(info), &n, NULL) || n != sizeof(info))
        return 2;
    return send_from(WSASocketW(AF_INET, SOCK_DGRAM, 0, &info, 0, WSA_FLAG_OVERLAPPED), port) != 3;
}

int main(int argc, char **argv)
{
    WSADATA data;

    GetModuleFileNameA(NULL, self, sizeof(self));
    WSAStartup(MAKEWORD(2, 2), &data);
    if (argc == 2 && (!strcmp(argv[1], "host") || !strcmp(argv[1], "silo")))
        return run_checks(!strcmp(argv[1], "silo"));
    if (argc == 2 && !strcmp(argv[1], "addresses"))
        return run_addresses();
    if (argc == 3 && !strcmp(argv[1], "resolve"))
        return run_resolve(argv[2]);
    if (argc == 3 && !strcmp(argv[1], "datagrams"))
        return run_datagrams(atoi(argv[2]));
    if (argc == 4 && !strcmp(argv[1], "ask"))
        return run_ask(argv[2], atoi(argv[3]));
    if (argc == 4 && !strcmp(argv[1], "bind"))
        return run_bind(argv[2], atoi(argv[3]));
    if (argc == 3 && !strcmp(argv[1], "send"))
        return run_send(atoi(argv[2]));
    usage("network host|silo | addresses | resolve NAME | datagrams PORT | ask ADDRESS PORT | bind ADDRESS PORT | send PORT");
}
