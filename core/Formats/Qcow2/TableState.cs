// What the answer of a cache to a slot is.
namespace FastBackup.Formats.Qcow2;

enum TableState
{
    Ready,

    /// <summary>The slot waits, and its owner is told.</summary>
    Waits,
}
