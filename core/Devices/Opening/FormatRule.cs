// What follows when a disk that exists looks like an image of another format than raw. The content of a raw disk is its
// guest's, who can write whatever an image begins with: so what is only probed is trusted with nothing but itself.
namespace FastBackup.Devices.Opening;

public enum FormatRule
{
    /// <summary>
    /// Nobody has said anything. By who knows images (Formats.ImageOpener) a regular file that looks like qcow2 is
    /// opened as that if it names no other file, or its own name ends so; all else is not opened: its bytes are not
    /// those of its disk.
    /// </summary>
    Refused = 0,

    /// <summary>Somebody has said that it is raw: no content is looked at, so no guest's can be in the way.</summary>
    Raw,

    /// <summary>It is opened; FileDevice.ForeignFormat names the format, for who learns later that it is raw.</summary>
    Noted,

    /// <summary>Somebody has said that what looks like qcow2 is that, with all files that it names.</summary>
    Qcow2,
}
