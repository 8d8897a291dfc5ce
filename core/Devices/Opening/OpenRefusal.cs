// Why a disk is not opened, as the engine's code and as people want it.
using FastBackup.Base;

namespace FastBackup.Devices.Opening;

/// <summary>A file that could not be opened: the fault, and one sentence for people.</summary>
public readonly record struct OpenRefusal(Fault Fault, string Sentence)
{
    public bool IsNone => Fault.IsNone;

    /// <summary>"cannot VERB 'PATH': FAULT".</summary>
    public static OpenRefusal Of(string path, string verb, Fault fault) =>
        new(fault, $"cannot {verb} '{path}': {fault}");

    /// <summary>A rule that what was asked for does not keep.</summary>
    public static OpenRefusal Rule(string sentence) => new(new Fault(FaultKind.Invalid), sentence);

    /// <summary>Somebody else uses what is there.</summary>
    internal static OpenRefusal InUse(string sentence) => new(new Fault(FaultKind.State, Errnos.EBUSY), sentence);
}
