// What follows when a disk that exists looks like an image of another format than raw.
namespace FastBackup.Devices.Opening;

public enum FormatRule
{
    /// <summary>It is not opened: its bytes are not those of its disk.</summary>
    Refused = 0,

    /// <summary>Somebody has said that it is raw: no content is looked at, so no guest's can be in the way.</summary>
    Raw,

    /// <summary>It is opened; FileDevice.ForeignFormat names the format, for who learns later that it is raw.</summary>
    Noted,
}
