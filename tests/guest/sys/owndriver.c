/* A driver of a silo's own: its device keeps what was last written to it, for whoever asks.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * A control with input stores it, one without gives what is stored; both are buffered. */

#include <ntddk.h>

static UNICODE_STRING device_name = RTL_CONSTANT_STRING(L"\\Device\\WstOwn"), link_name = RTL_CONSTANT_STRING(L"\\DosDevices\\WstOwn");
static UCHAR kept[64];
static ULONG kept_n;

static NTSTATUS finish(IRP *irp, NTSTATUS status, ULONG n)
{
    irp->IoStatus.Status = status;
    irp->IoStatus.Information = n;
    IoCompleteRequest(irp, IO_NO_INCREMENT);
    return status;
}

static NTSTATUS WINAPI open_or_close(DEVICE_OBJECT *device, IRP *irp)
{
    (void)device;
    return finish(irp, STATUS_SUCCESS, 0);
}

static NTSTATUS WINAPI control(DEVICE_OBJECT *device, IRP *irp)
{
    const IO_STACK_LOCATION *stack = IoGetCurrentIrpStackLocation(irp);
    ULONG in = stack->Parameters.DeviceIoControl.InputBufferLength, i;
    UCHAR *data = irp->AssociatedIrp.SystemBuffer;

    (void)device;
    if (in > sizeof(kept) || (!in && stack->Parameters.DeviceIoControl.OutputBufferLength < kept_n))
        return finish(irp, STATUS_BUFFER_TOO_SMALL, 0);
    for (i = 0; i < (in ? in : kept_n); i++) {
        if (in)
            kept[i] = data[i];
        else
            data[i] = kept[i];
    }
    if (in)
        kept_n = in;
    return finish(irp, STATUS_SUCCESS, in ? 0 : kept_n);
}

static void WINAPI unload(DRIVER_OBJECT *driver)
{
    IoDeleteSymbolicLink(&link_name);
    IoDeleteDevice(driver->DeviceObject);
}

NTSTATUS WINAPI DriverEntry(DRIVER_OBJECT *driver, UNICODE_STRING *key)
{
    DEVICE_OBJECT *device;
    NTSTATUS status;

    (void)key;
    driver->MajorFunction[IRP_MJ_CREATE] = driver->MajorFunction[IRP_MJ_CLOSE] = open_or_close;
    driver->MajorFunction[IRP_MJ_DEVICE_CONTROL] = control;
    driver->DriverUnload = unload;
    if ((status = IoCreateDevice(driver, 0, &device_name, FILE_DEVICE_UNKNOWN, 0, FALSE, &device)))
        return status;
    if ((status = IoCreateSymbolicLink(&link_name, &device_name)))
        IoDeleteDevice(device);
    return status;
}
