// The parts of an image that is written to which make its disk larger.
using System;
using FastBackup.Base;

namespace FastBackup.Formats.Qcow2;

/// <summary>Threads: the loop's.</summary>
/// <param name="Parts">Of the image.</param>
/// <param name="Growth">Of its file.</param>
/// <param name="Commit">Moves its L1 table.</param>
/// <param name="Head">Says the new size.</param>
/// <param name="Owner">Its device.</param>
/// <param name="FileBytes">That its file has for sure.</param>
/// <param name="OnEnd">Told once, before who has asked for it.</param>
sealed record GrowthPlace(
    Qcow2Parts Parts,
    FileGrowth Growth,
    MetadataCommit Commit,
    HeadWriting Head,
    IImageOwner Owner,
    Func<ulong> FileBytes,
    Action<Fault> OnEnd
);
