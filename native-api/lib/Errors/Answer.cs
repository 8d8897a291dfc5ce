// What a call answers before it crosses the boundary: the status, and what fb_last_error will say. Made on whichever
// thread did the work; told on the caller's.
using System;
using System.Globalization;
using FastBackup.Base;
using FastBackup.Devices.Opening;

namespace FastBackup.Native.Errors;

/// <param name="Status">A number of <see cref="Errors.Status"/>.</param>
/// <param name="Fault">Errno and offset, where there are any.</param>
/// <param name="Text">For people; null: the fault's own words.</param>
readonly record struct Answer(int Status, Fault Fault = default, string? Text = null)
{
    public static Answer Ok => default;

    public static Answer Pending => new(Errors.Status.Pending);

    public bool IsOk => Status == Errors.Status.Ok;

    public static Answer Of(Fault fault) => new(Errors.Status.Of(fault.Kind), fault);

    public static Answer Of(OpenRefusal refusal) =>
        new(
            refusal.Fault.Errno == Errnos.EBUSY ? Errors.Status.State : Errors.Status.Of(refusal.Fault.Kind),
            refusal.Fault,
            refusal.Sentence
        );

    public static Answer Handle(string what) => new(Errors.Status.Handle, default, what + ": not an open handle");

    public static Answer State(string text) => new(Errors.Status.State, default, text);

    public static Answer Invalid(string text) => new(Errors.Status.Invalid, default, text);

    public static Answer Invalid(FormattableString text) => Invalid(text.ToString(CultureInfo.InvariantCulture));

    public static Answer Unsupported(string text) => new(Errors.Status.Unsupported, default, text);

    public static Answer Unsupported(FormattableString text) =>
        Unsupported(text.ToString(CultureInfo.InvariantCulture));
}
