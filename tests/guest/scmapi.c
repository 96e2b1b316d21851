/* What programs see of services through the API.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 *   check FOLDER    drives the functions; services of FOLDER\testsvc.exe are made and deleted
 *   dump NAME       prints what the wide and the ANSI functions say of a service, a line for each item */

#include "check.h"

#include <winsvc.h>

#define ALL (SERVICE_DRIVER | SERVICE_WIN32)
#define PATIENCE_MS 20000

/* Functions that Wine's advapi32.dll has not got, or that headers lack. */
static BOOL(WINAPI *control_w)(SC_HANDLE, DWORD, DWORD, void *);
static BOOL(WINAPI *control_a)(SC_HANDLE, DWORD, DWORD, void *);
static DWORD(WINAPI *notify_a)(SC_HANDLE, DWORD, SERVICE_NOTIFYA *);
static BOOL(WINAPI *group_w)(SC_HANDLE, DWORD, DWORD, ENUM_SERVICE_STATUSW *, DWORD, DWORD *, DWORD *, DWORD *,
                             const WCHAR *);
static BOOL(WINAPI *group_a)(SC_HANDLE, DWORD, DWORD, ENUM_SERVICE_STATUSA *, DWORD, DWORD *, DWORD *, DWORD *,
                             const char *);

static union {
    BYTE bytes[8192];
    QUERY_SERVICE_CONFIGW config;
    QUERY_SERVICE_CONFIGA config_a;
    ENUM_SERVICE_STATUSW rows[1];
    ENUM_SERVICE_STATUSA rows_a[1];
    SERVICE_DESCRIPTIONW description;
    SERVICE_DESCRIPTIONA description_a;
    SERVICE_FAILURE_ACTIONSW actions;
    SERVICE_FAILURE_ACTIONSA actions_a;
    QUERY_SERVICE_LOCK_STATUSW lock;
    QUERY_SERVICE_LOCK_STATUSA lock_a;
    DWORD number;
} buffer;
static DWORD needed;

static BOOL load(void)
{
    static const struct {
        const char *name;
        void *pointer;
    } rows[] = {
        {"ControlServiceExW", &control_w},          {"ControlServiceExA", &control_a},
        {"NotifyServiceStatusChangeA", &notify_a},  {"EnumServiceGroupW", &group_w},
        {"EnumServiceGroupA", &group_a},
    };
    HMODULE advapi = LoadLibraryA("advapi32.dll");
    BOOL all = TRUE;

    for (unsigned i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
        all &= CHECK(rows[i].name, (*(FARPROC *)rows[i].pointer = GetProcAddress(advapi, rows[i].name)) != NULL);
    return all;
}

/* ---- dump ---- */

static void dump_config(SC_HANDLE service)
{
    if (QueryServiceConfigW(service, &buffer.config, sizeof(buffer), &needed)) {
        printf("image %ls\ngroup %ls\naccount %ls\ndisplay %ls\ntype %lu start %lu error %lu tag %lu\n",
               buffer.config.lpBinaryPathName, buffer.config.lpLoadOrderGroup, buffer.config.lpServiceStartName,
               buffer.config.lpDisplayName, buffer.config.dwServiceType, buffer.config.dwStartType,
               buffer.config.dwErrorControl, buffer.config.dwTagId);
        for (WCHAR *name = buffer.config.lpDependencies; *name; name += wcslen(name) + 1)
            printf("needs %ls\n", name);
    }
    if (QueryServiceConfigA(service, &buffer.config_a, sizeof(buffer), &needed)) {
        printf("A image %s\nA display %s\n", buffer.config_a.lpBinaryPathName, buffer.config_a.lpDisplayName);
        for (char *name = buffer.config_a.lpDependencies; *name; name += strlen(name) + 1)
            printf("A needs %s\n", name);
    }
}

static void dump_levels(SC_HANDLE service)
{
    static const DWORD numbers[] = {3, 4, 5, 7, 12};

    if (QueryServiceConfig2W(service, SERVICE_CONFIG_DESCRIPTION, buffer.bytes, sizeof(buffer), &needed))
        printf("description %ls\n", buffer.description.lpDescription ? buffer.description.lpDescription : L"-");
    if (QueryServiceConfig2A(service, SERVICE_CONFIG_DESCRIPTION, buffer.bytes, sizeof(buffer), &needed))
        printf("A description %s\n", buffer.description_a.lpDescription ? buffer.description_a.lpDescription : "-");
    if (QueryServiceConfig2W(service, SERVICE_CONFIG_FAILURE_ACTIONS, buffer.bytes, sizeof(buffer), &needed)) {
        printf("reset %lu command %ls\n", buffer.actions.dwResetPeriod,
               buffer.actions.lpCommand ? buffer.actions.lpCommand : L"-");
        for (DWORD i = 0; i < buffer.actions.cActions; i++)
            printf("action %d %lu\n", buffer.actions.lpsaActions[i].Type, buffer.actions.lpsaActions[i].Delay);
    }
    if (QueryServiceConfig2A(service, SERVICE_CONFIG_FAILURE_ACTIONS, buffer.bytes, sizeof(buffer), &needed))
        printf("A command %s\n", buffer.actions_a.lpCommand ? buffer.actions_a.lpCommand : "-");
    for (unsigned i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++)
        if (QueryServiceConfig2W(service, numbers[i], buffer.bytes, sizeof(buffer), &needed))
            printf("level %lu %lu\n", numbers[i], buffer.number);
    if (QueryServiceConfig2W(service, SERVICE_CONFIG_REQUIRED_PRIVILEGES_INFO, buffer.bytes, sizeof(buffer), &needed))
        for (WCHAR *name = buffer.description.lpDescription; name && *name; name += wcslen(name) + 1)
            printf("privilege %ls\n", name);
}

static int dump(const char *name)
{
    SC_HANDLE manager = OpenSCManagerW(NULL, NULL, SC_MANAGER_CONNECT);
    SC_HANDLE service = OpenServiceA(manager, name, GENERIC_READ);
    DWORD count;

    if (!service)
        return 1;
    dump_config(service);
    dump_levels(service);
    if (EnumDependentServicesW(service, SERVICE_STATE_ALL, buffer.rows, sizeof(buffer), &needed, &count))
        for (DWORD i = 0; i < count; i++)
            printf("dependent %ls state %lu\n", buffer.rows[i].lpServiceName,
                   buffer.rows[i].ServiceStatus.dwCurrentState);
    CloseServiceHandle(service);
    CloseServiceHandle(manager);
    return 0;
}

/* ---- checks ---- */

static SC_HANDLE make(SC_HANDLE manager, const char *name, const char *folder, const char *dependencies)
{
    char image[MAX_PATH];
    SC_HANDLE service;

    snprintf(image, sizeof(image), "%s\\testsvc.exe", folder);
    service = CreateServiceA(manager, name, NULL, SERVICE_ALL_ACCESS, SERVICE_WIN32_OWN_PROCESS, SERVICE_DEMAND_START,
                             SERVICE_ERROR_NORMAL, image, "ApiGroup", NULL, dependencies, NULL, NULL);
    CHECK("CreateServiceA", service != NULL);
    return service;
}

static void check_config(SC_HANDLE top)
{
    static const WCHAR list[] = L"ApiBottom\0+ApiOther\0";
    static const char list_a[] = "ApiBottom\0+ApiOther\0";
    DWORD size;

    CHECK_ERROR("config, no room", !QueryServiceConfigW(top, NULL, 0, &needed), ERROR_INSUFFICIENT_BUFFER);
    size = needed;
    CHECK_ERROR("config, too little", !QueryServiceConfigW(top, &buffer.config, size - 1, &needed),
                ERROR_INSUFFICIENT_BUFFER);
    CHECK("config", QueryServiceConfigW(top, &buffer.config, size, &needed) && needed == size);
    CHECK("dependencies", !memcmp(buffer.config.lpDependencies, list, sizeof(list)));
    CHECK("group", same_text(buffer.config.lpLoadOrderGroup, L"ApiGroup"));
    CHECK("account", same_text(buffer.config.lpServiceStartName, L"LocalSystem"));
    CHECK_ERROR("config A, no room", !QueryServiceConfigA(top, NULL, 0, &needed), ERROR_INSUFFICIENT_BUFFER);
    size = needed;
    CHECK("config A", QueryServiceConfigA(top, &buffer.config_a, size, &needed));
    CHECK("dependencies A", !memcmp(buffer.config_a.lpDependencies, list_a, sizeof(list_a)));
    CHECK_ERROR("config, nowhere to say", !QueryServiceConfigW(top, &buffer.config, 8192, NULL), ERROR_INVALID_ADDRESS);
    CHECK_ERROR("config, no handle", !QueryServiceConfigW(NULL, &buffer.config, 8192, &needed), ERROR_INVALID_HANDLE);
    CHECK_ERROR("config, bad handle", !QueryServiceConfigW((SC_HANDLE)0x1234, &buffer.config, 8192, &needed),
                ERROR_INVALID_HANDLE);
}

static void check_numbers(SC_HANDLE top)
{
    static const struct {
        DWORD level, value;
    } rows[] = {{SERVICE_CONFIG_DELAYED_AUTO_START_INFO, 1},
                {SERVICE_CONFIG_FAILURE_ACTIONS_FLAG, 1},
                {SERVICE_CONFIG_SERVICE_SID_INFO, 3},
                {SERVICE_CONFIG_PRESHUTDOWN_INFO, 4321},
                {12, 2}};

    for (unsigned i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        DWORD value = rows[i].value;
        BOOL even = i % 2;

        CHECK("change a number",
              even ? ChangeServiceConfig2W(top, rows[i].level, &value) : ChangeServiceConfig2A(top, rows[i].level, &value));
        CHECK("query a number", QueryServiceConfig2W(top, rows[i].level, buffer.bytes, 4, &needed) &&
                                    needed == 4 && buffer.number == value);
        CHECK("query a number A", QueryServiceConfig2A(top, rows[i].level, buffer.bytes, 4, &needed) &&
                                      buffer.number == value);
        CHECK_ERROR("a number, no room", !QueryServiceConfig2W(top, rows[i].level, buffer.bytes, 3, &needed),
                    ERROR_INSUFFICIENT_BUFFER);
    }
}

static void check_failure_actions(SC_HANDLE top)
{
    SC_ACTION steps[] = {{SC_ACTION_RESTART, 100}, {SC_ACTION_RUN_COMMAND, 5}};
    SERVICE_FAILURE_ACTIONSA set = {3600, "reboot", "command", 2, steps};
    DWORD size;

    CHECK("change actions", ChangeServiceConfig2A(top, SERVICE_CONFIG_FAILURE_ACTIONS, &set));
    CHECK_ERROR("actions, no room", !QueryServiceConfig2W(top, SERVICE_CONFIG_FAILURE_ACTIONS, NULL, 0, &needed),
                ERROR_INSUFFICIENT_BUFFER);
    size = needed;
    CHECK("actions", QueryServiceConfig2W(top, SERVICE_CONFIG_FAILURE_ACTIONS, buffer.bytes, size, &needed));
    CHECK("their values", buffer.actions.dwResetPeriod == 3600 && buffer.actions.cActions == 2 &&
                              !memcmp(buffer.actions.lpsaActions, steps, sizeof(steps)));
    CHECK("their texts", same_text(buffer.actions.lpRebootMsg, L"reboot") &&
                             same_text(buffer.actions.lpCommand, L"command"));
    CHECK("actions A", QueryServiceConfig2A(top, SERVICE_CONFIG_FAILURE_ACTIONS, buffer.bytes, size, &needed));
    CHECK("their texts A",
          !strcmp(buffer.actions_a.lpRebootMsg, "reboot") && !strcmp(buffer.actions_a.lpCommand, "command"));
}

static void check_texts(SC_HANDLE top)
{
    static const WCHAR privileges[] = L"SeTcbPrivilege\0SeDebugPrivilege\0";
    SERVICE_DESCRIPTIONA description = {"What it does"};
    SERVICE_DESCRIPTIONW list = {(WCHAR *)privileges};
    DWORD size;

    CHECK("no description", QueryServiceConfig2W(top, SERVICE_CONFIG_DESCRIPTION, buffer.bytes, sizeof(buffer), &needed) &&
                                needed == sizeof(SERVICE_DESCRIPTIONW) && !buffer.description.lpDescription);
    CHECK("describe", ChangeServiceConfig2A(top, SERVICE_CONFIG_DESCRIPTION, &description));
    CHECK_ERROR("description, no room", !QueryServiceConfig2W(top, SERVICE_CONFIG_DESCRIPTION, NULL, 0, &needed),
                ERROR_INSUFFICIENT_BUFFER);
    size = needed;
    CHECK("description", size == sizeof(SERVICE_DESCRIPTIONW) + 26 &&
                             QueryServiceConfig2W(top, SERVICE_CONFIG_DESCRIPTION, buffer.bytes, size, &needed) &&
                             same_text(buffer.description.lpDescription, L"What it does"));
    CHECK("description A", QueryServiceConfig2A(top, SERVICE_CONFIG_DESCRIPTION, buffer.bytes, size, &needed) &&
                               !strcmp(buffer.description_a.lpDescription, "What it does"));
    CHECK("set privileges", ChangeServiceConfig2W(top, SERVICE_CONFIG_REQUIRED_PRIVILEGES_INFO, &list));
    CHECK("privileges", QueryServiceConfig2W(top, SERVICE_CONFIG_REQUIRED_PRIVILEGES_INFO, buffer.bytes, sizeof(buffer),
                                             &needed) &&
                            !memcmp(buffer.description.lpDescription, privileges, sizeof(privileges)));
    CHECK("privileges A", QueryServiceConfig2A(top, SERVICE_CONFIG_REQUIRED_PRIVILEGES_INFO, buffer.bytes,
                                               sizeof(buffer), &needed) &&
                              !memcmp(buffer.description_a.lpDescription, "SeTcbPrivilege\0SeDebugPrivilege\0", 33));
    CHECK("no triggers", QueryServiceConfig2W(top, SERVICE_CONFIG_TRIGGER_INFO, buffer.bytes, sizeof(buffer), &needed) &&
                             !buffer.number);
    CHECK_ERROR("no such level", !QueryServiceConfig2W(top, 77, buffer.bytes, sizeof(buffer), &needed),
                ERROR_INVALID_LEVEL);
    CHECK_ERROR("no such level to change", !ChangeServiceConfig2W(top, 77, &description), ERROR_INVALID_LEVEL);
}

static void check_lists(SC_HANDLE manager, SC_HANDLE bottom)
{
    DWORD count, size, resume = 5;

    CHECK_ERROR("dependents, no room",
                !EnumDependentServicesW(bottom, SERVICE_STATE_ALL, NULL, 0, &needed, &count), ERROR_MORE_DATA);
    size = needed;
    CHECK("dependents", EnumDependentServicesW(bottom, SERVICE_STATE_ALL, buffer.rows, size, &needed, &count) &&
                            count == 1 && same_text(buffer.rows[0].lpServiceName, L"ApiTop") &&
                            buffer.rows[0].ServiceStatus.dwCurrentState == SERVICE_STOPPED);
    CHECK("dependents A", EnumDependentServicesA(bottom, SERVICE_STATE_ALL, buffer.rows_a, size, &needed, &count) &&
                              count == 1 && !strcmp(buffer.rows_a[0].lpDisplayName, "ApiTop"));
    CHECK("active dependents",
          EnumDependentServicesW(bottom, SERVICE_ACTIVE, buffer.rows, sizeof(buffer), &needed, &count) && !count);
    CHECK_ERROR("bad states", !EnumDependentServicesW(bottom, 0, buffer.rows, sizeof(buffer), &needed, &count),
                ERROR_INVALID_PARAMETER);
    CHECK("group", group_w(manager, ALL, SERVICE_STATE_ALL, buffer.rows, sizeof(buffer), &needed, &count, &resume,
                           L"ApiGroup") && count == 2 && !resume);
    CHECK("group A", group_a(manager, ALL, SERVICE_STATE_ALL, buffer.rows_a, sizeof(buffer), &needed, &count, &resume,
                             "ApiGroup") && count == 2);
    CHECK_ERROR("no such group", !group_w(manager, ALL, SERVICE_STATE_ALL, buffer.rows, sizeof(buffer), &needed, &count,
                                          NULL, L"ApiNone"), ERROR_SERVICE_DOES_NOT_EXIST);
}

static void CALLBACK told(void *parameter)
{
    SERVICE_NOTIFYW *notify = parameter;

    ++*(int *)notify->pContext;
}

static void await(int *calls)
{
    ULONGLONG limit = GetTickCount64() + PATIENCE_MS;

    while (!*calls && GetTickCount64() < limit)
        SleepEx(100, TRUE);
}

static void check_notify_and_control(SC_HANDLE bottom)
{
    int calls = 0;
    SERVICE_NOTIFYW notify = {.dwVersion = SERVICE_NOTIFY_STATUS_CHANGE, .pfnNotifyCallback = told, .pContext = &calls};
    SERVICE_NOTIFYA notify2 = {.dwVersion = SERVICE_NOTIFY_STATUS_CHANGE, .pfnNotifyCallback = told, .pContext = &calls};
    SERVICE_CONTROL_STATUS_REASON_PARAMSW reason = {.pszComment = L"because"};
    SERVICE_CONTROL_STATUS_REASON_PARAMSA reason_a = {.pszComment = "because"};

    CHECK("notify", !NotifyServiceStatusChangeW(bottom, SERVICE_NOTIFY_RUNNING, &notify));
    CHECK("twice", NotifyServiceStatusChangeW(bottom, SERVICE_NOTIFY_RUNNING, &notify) == ERROR_ALREADY_REGISTERED);
    CHECK("not yet", SleepEx(0, TRUE) != WAIT_IO_COMPLETION && !calls);
    CHECK("start", StartServiceA(bottom, 0, NULL));
    await(&calls);
    CHECK("told", calls == 1 && !notify.dwNotificationStatus &&
                      notify.dwNotificationTriggered == SERVICE_NOTIFY_RUNNING &&
                      notify.ServiceStatus.dwCurrentState == SERVICE_RUNNING && notify.ServiceStatus.dwProcessId);
    calls = 0;
    CHECK("notify A", !notify_a(bottom, SERVICE_NOTIFY_STOPPED, &notify2));
    CHECK_ERROR("stop without a reason", !control_w(bottom, SERVICE_CONTROL_STOP, 1, &reason), ERROR_INVALID_PARAMETER);
    CHECK_ERROR("another level", !control_w(bottom, SERVICE_CONTROL_STOP, 2, &reason), ERROR_INVALID_LEVEL);
    CHECK("interrogate", control_w(bottom, SERVICE_CONTROL_INTERROGATE, 1, &reason) &&
                             reason.ServiceStatus.dwCurrentState == SERVICE_RUNNING &&
                             reason.ServiceStatus.dwProcessId == notify.ServiceStatus.dwProcessId);
    reason_a.dwReason = SERVICE_STOP_REASON_FLAG_PLANNED | SERVICE_STOP_REASON_MAJOR_NONE |
                        SERVICE_STOP_REASON_MINOR_NONE;
    CHECK("stop with a reason", control_a(bottom, SERVICE_CONTROL_STOP, 1, &reason_a));
    await(&calls);
    CHECK("told A", calls == 1 && notify2.dwNotificationTriggered == SERVICE_NOTIFY_STOPPED &&
                        notify2.ServiceStatus.dwCurrentState == SERVICE_STOPPED);
    CHECK_ERROR("stop again", !control_a(bottom, SERVICE_CONTROL_STOP, 1, &reason_a), ERROR_SERVICE_NOT_ACTIVE);
    notify.dwVersion = SERVICE_NOTIFY_STATUS_CHANGE;
    CHECK("no handle", NotifyServiceStatusChangeW(NULL, SERVICE_NOTIFY_RUNNING, &notify) == ERROR_INVALID_HANDLE);
    notify.dwVersion = 9;
    CHECK("bad version", NotifyServiceStatusChangeW(bottom, SERVICE_NOTIFY_RUNNING, &notify) == ERROR_INVALID_PARAMETER);
}

static void check_lock(SC_HANDLE manager)
{
    SC_LOCK lock;

    CHECK("not locked", QueryServiceLockStatusW(manager, &buffer.lock, sizeof(buffer), &needed) && !buffer.lock.fIsLocked);
    CHECK("lock", (lock = LockServiceDatabase(manager)) != NULL);
    CHECK("locked", QueryServiceLockStatusA(manager, &buffer.lock_a, sizeof(buffer), &needed) && buffer.lock_a.fIsLocked);
    CHECK("unlock", UnlockServiceDatabase(lock));
    CHECK("unlocked", QueryServiceLockStatusW(manager, &buffer.lock, sizeof(buffer), &needed) && !buffer.lock.fIsLocked);
    CHECK_ERROR("unlock nothing", !UnlockServiceDatabase(NULL), ERROR_INVALID_SERVICE_LOCK);
    CHECK_ERROR("lock status, no room", !QueryServiceLockStatusW(manager, NULL, 0, &needed), ERROR_INSUFFICIENT_BUFFER);
}

static void check_security(SC_HANDLE top)
{
    const SECURITY_INFORMATION dacl = DACL_SECURITY_INFORMATION;
    SECURITY_DESCRIPTOR descriptor;
    BOOL present, defaulted;
    BYTE room[200];
    ACL *list = (ACL *)room;

    CHECK_ERROR("security, no room", !QueryServiceObjectSecurity(top, dacl, NULL, 0, &needed),
                ERROR_INSUFFICIENT_BUFFER);
    CHECK("security", QueryServiceObjectSecurity(top, dacl, buffer.bytes, needed, &needed) &&
                          IsValidSecurityDescriptor(buffer.bytes));
    CHECK("a list", GetSecurityDescriptorDacl(buffer.bytes, &present, &list, &defaulted) && present && list &&
                        list->AceCount == 4);
    list = (ACL *)room;
    InitializeAcl(list, sizeof(room), ACL_REVISION);
    InitializeSecurityDescriptor(&descriptor, SECURITY_DESCRIPTOR_REVISION);
    SetSecurityDescriptorDacl(&descriptor, TRUE, list, FALSE);
    CHECK("set security", SetServiceObjectSecurity(top, dacl, &descriptor));
    CHECK("as it was set", QueryServiceObjectSecurity(top, dacl, buffer.bytes, sizeof(buffer), &needed) &&
                               GetSecurityDescriptorDacl(buffer.bytes, &present, &list, &defaulted) && present && list &&
                               !list->AceCount);
    CHECK("its owner", QueryServiceObjectSecurity(top, OWNER_SECURITY_INFORMATION, buffer.bytes, sizeof(buffer), &needed) &&
                           GetSecurityDescriptorOwner(buffer.bytes, (PSID *)&list, &defaulted) && list);
    CHECK_ERROR("no descriptor", !SetServiceObjectSecurity(top, dacl, NULL), ERROR_INVALID_ADDRESS);
}

static int run_checks(const char *folder)
{
    SC_HANDLE manager = OpenSCManagerW(NULL, NULL, SC_MANAGER_ALL_ACCESS), top, bottom;

    if (!load())
        return finish();
    CHECK("OpenSCManager", manager != NULL);
    bottom = make(manager, "ApiBottom", folder, NULL);
    top = make(manager, "ApiTop", folder, "ApiBottom\0+ApiOther\0");
    check_config(top);
    check_numbers(top);
    check_failure_actions(top);
    check_texts(top);
    check_lists(manager, bottom);
    check_notify_and_control(bottom);
    check_lock(manager);
    check_security(top);
    CHECK("DeleteService", DeleteService(top) && DeleteService(bottom));
    CloseServiceHandle(top);
    CloseServiceHandle(bottom);
    CloseServiceHandle(manager);
    return finish();
}

int main(int argc, char **argv)
{
    if (argc == 3 && !strcmp(argv[1], "check"))
        return run_checks(argv[2]);
    if (argc == 3 && !strcmp(argv[1], "dump"))
        return dump(argv[2]);
    usage("scmapi check FOLDER | dump NAME");
}
