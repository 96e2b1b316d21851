/* The services that this process hosts: scm_dispatch.c runs them, scm_status.c is what they call.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef SCM_SERVICES_H
#define SCM_SERVICES_H

#include "scm_api.h"

struct scm_service {
    WCHAR *name;
    BOOL ansi; /* which form its main function has */
    union {
        LPSERVICE_MAIN_FUNCTIONW wide;
        LPSERVICE_MAIN_FUNCTIONA ansi;
    } main;
    LPHANDLER_FUNCTION plain; /* one of the two, once it is registered */
    LPHANDLER_FUNCTION_EX handler;
    void *context;
    SC_HANDLE handle; /* with which it reports its status; from its first start on */
    DWORD accepts;    /* as it has reported last */
};

/* Whoever looks at the services holds the lock. */
extern SRWLOCK scm_services_lock;
extern struct scm_service *scm_services;
extern DWORD scm_service_count; /* 0 before the dispatcher is there */

struct scm_service *scm_find_service(const WCHAR *name);

#endif
