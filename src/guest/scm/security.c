/* The security descriptors of services: kept and given back. Nobody is kept from anything by them, as all are the one
 * user that Wine has.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * [MS-SCMR] 3.1.4.5 and 3.1.4.6. A descriptor that was set is in the value Security of the service's key Security, as on
 * Windows. */

#include "scm.h"

#include <sddl.h>

#define PARTS                                                                                                          \
    (OWNER_SECURITY_INFORMATION | GROUP_SECURITY_INFORMATION | DACL_SECURITY_INFORMATION | SACL_SECURITY_INFORMATION)

/* What services have of which none was set: "Service Security and Access Rights" of the Windows documentation. */
static const WCHAR default_descriptor[] =
    L"O:SYG:SYD:(A;;CCLCSWRPWPDTLOCRRC;;;SY)(A;;CCDCLCSWRPWPDTLOCRSDRCWDWO;;;BA)(A;;CCLCSWLOCRRC;;;IU)"
    L"(A;;CCLCSWLOCRRC;;;SU)";

/* ---- is it one? ---- */

static BOOL fits_sid(const BYTE *data, DWORD size, DWORD offset)
{
    const SID *sid = (const SID *)(data + offset);

    if (!offset)
        return TRUE;
    return offset <= size && size - offset >= 8 && size - offset >= 8 + 4u * sid->SubAuthorityCount &&
           IsValidSid((SID *)sid);
}

static BOOL fits_acl(const BYTE *data, DWORD size, DWORD offset)
{
    const ACL *acl = (const ACL *)(data + offset);

    if (!offset)
        return TRUE;
    return offset <= size && size - offset >= sizeof(*acl) && acl->AclSize >= sizeof(*acl) &&
           acl->AclSize <= size - offset && IsValidAcl((ACL *)acl);
}

static BOOL is_descriptor(const BYTE *data, DWORD size)
{
    const SECURITY_DESCRIPTOR_RELATIVE *head = (const SECURITY_DESCRIPTOR_RELATIVE *)data;

    if (!data || size < sizeof(*head) || head->Revision != SECURITY_DESCRIPTOR_REVISION ||
        !(head->Control & SE_SELF_RELATIVE))
        return FALSE;
    return fits_sid(data, size, head->Owner) && fits_sid(data, size, head->Group) && fits_acl(data, size, head->Dacl) &&
           fits_acl(data, size, head->Sacl);
}

/* ---- the one that is kept ---- */

static HKEY open_security_key(const WCHAR *name, BOOL create)
{
    HKEY key = open_service_key(name, KEY_READ | KEY_WRITE), security = NULL;

    if (!key)
        return NULL;
    if (create ? RegCreateKeyExW(key, L"Security", 0, NULL, 0, KEY_READ | KEY_WRITE, NULL, &security, NULL)
               : RegOpenKeyExW(key, L"Security", 0, KEY_READ, &security))
        security = NULL;
    RegCloseKey(key);
    return security;
}

/* To be released with LocalFree. */
static SECURITY_DESCRIPTOR *read_descriptor(const struct service *service)
{
    HKEY key = open_security_key(service->name, FALSE);
    SECURITY_DESCRIPTOR *descriptor = NULL;
    DWORD type, size = 0;

    if (key && !RegQueryValueExW(key, L"Security", NULL, &type, NULL, &size) && type == REG_BINARY &&
        (descriptor = LocalAlloc(LMEM_FIXED, size)) &&
        (RegQueryValueExW(key, L"Security", NULL, &type, (BYTE *)descriptor, &size) ||
         !is_descriptor((BYTE *)descriptor, size))) {
        LocalFree(descriptor);
        descriptor = NULL;
    }
    if (key)
        RegCloseKey(key);
    if (!descriptor && !ConvertStringSecurityDescriptorToSecurityDescriptorW(default_descriptor, SDDL_REVISION_1,
                                                                             (void **)&descriptor, NULL))
        return NULL;
    return descriptor;
}

/* Takes some of its parts, by pointers into it. */
static void copy_parts(SECURITY_DESCRIPTOR *to, SECURITY_DESCRIPTOR *from, DWORD information)
{
    BOOL present, defaulted;
    SID *sid;
    ACL *acl;

    if ((information & OWNER_SECURITY_INFORMATION) && GetSecurityDescriptorOwner(from, (void **)&sid, &defaulted))
        SetSecurityDescriptorOwner(to, sid, defaulted);
    if ((information & GROUP_SECURITY_INFORMATION) && GetSecurityDescriptorGroup(from, (void **)&sid, &defaulted))
        SetSecurityDescriptorGroup(to, sid, defaulted);
    if ((information & DACL_SECURITY_INFORMATION) &&
        GetSecurityDescriptorDacl(from, &present, &acl, &defaulted) && present)
        SetSecurityDescriptorDacl(to, TRUE, acl, defaulted);
    if ((information & SACL_SECURITY_INFORMATION) &&
        GetSecurityDescriptorSacl(from, &present, &acl, &defaulted) && present)
        SetSecurityDescriptorSacl(to, TRUE, acl, defaulted);
}

/* ---- the calls ---- */

u32_t RQueryServiceObjectSecurity(SC_RPC_HANDLE handle, u32_t information, byte_t *buffer, u32_t size, u32_t *needed)
{
    struct service *service;
    DWORD error = check_handle(handle, HANDLE_SERVICE, READ_CONTROL, &service), length = size;
    SECURITY_DESCRIPTOR parts, *descriptor;

    memset(buffer, 0, size);
    *needed = 0;
    if (error)
        return error;
    if (!information || (information & ~(u32_t)PARTS))
        return ERROR_INVALID_PARAMETER;
    lock();
    descriptor = read_descriptor(service);
    unlock();
    if (!descriptor)
        return ERROR_NOT_ENOUGH_MEMORY;
    InitializeSecurityDescriptor(&parts, SECURITY_DESCRIPTOR_REVISION);
    copy_parts(&parts, descriptor, information);
    if (!MakeSelfRelativeSD(&parts, buffer, &length))
        error = GetLastError();
    *needed = length;
    LocalFree(descriptor);
    return error;
}

static DWORD write_descriptor(const struct service *service, SECURITY_DESCRIPTOR *descriptor)
{
    DWORD size = 0, error;
    BYTE *packed;
    HKEY key;

    MakeSelfRelativeSD(descriptor, NULL, &size);
    packed = allocate(size + 1);
    if (!MakeSelfRelativeSD(descriptor, packed, &size)) {
        error = GetLastError();
    } else if (!(key = open_security_key(service->name, TRUE))) {
        error = ERROR_SERVICE_MARKED_FOR_DELETE;
    } else {
        error = RegSetValueExW(key, L"Security", 0, REG_BINARY, packed, size);
        RegCloseKey(key);
    }
    release(packed);
    return error;
}

u32_t RSetServiceObjectSecurity(SC_RPC_HANDLE handle, u32_t information, byte_t *buffer, u32_t size)
{
    DWORD right = (information & DACL_SECURITY_INFORMATION ? WRITE_DAC : 0) |
                  (information & (OWNER_SECURITY_INFORMATION | GROUP_SECURITY_INFORMATION) ? WRITE_OWNER : 0);
    SECURITY_DESCRIPTOR merged, *descriptor;
    struct service *service;
    DWORD error = check_handle(handle, HANDLE_SERVICE, right, &service);

    if (error)
        return error;
    if (!information || (information & ~(u32_t)PARTS) || !is_descriptor(buffer, size))
        return ERROR_INVALID_PARAMETER;
    lock();
    if (service->deleted) {
        error = ERROR_SERVICE_MARKED_FOR_DELETE;
    } else if (!(descriptor = read_descriptor(service))) {
        error = ERROR_NOT_ENOUGH_MEMORY;
    } else {
        InitializeSecurityDescriptor(&merged, SECURITY_DESCRIPTOR_REVISION);
        copy_parts(&merged, descriptor, PARTS & ~information);
        copy_parts(&merged, (SECURITY_DESCRIPTOR *)buffer, information);
        error = write_descriptor(service, &merged);
        LocalFree(descriptor);
    }
    unlock();
    return error;
}
