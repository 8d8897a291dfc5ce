// What a manual page tells beside its command: which files are made and which variables are read. A note stands on the
// pages of the commands that have its option, and on the page of them all.
using System.Linq;

namespace FastBackup.Cli;

/// <param name="Name">Of the file or variable.</param>
/// <param name="Meaning">Sentences.</param>
/// <param name="Option">Null: it is about every command.</param>
sealed record ManNote(string Name, string Meaning, string? Option)
{
    public bool IsAbout(CommandPage page) =>
        Option == null
        || page.Words.Length == 1
        || page.All.Any(one => one.Options.Any(option => option.LongName == Option));
}

static class ManNotes
{
    public static readonly ManNote[] Environment =
    [
        new(
            "FASTBACKUP_PASSWORD, FASTBACKUP_PASSWORD_FILE, FASTBACKUP_PASSWORD_COMMAND",
            "Without --password-file: the password of a repository, the file that has it, or the command that prints "
                + "it. RESTIC_PASSWORD, RESTIC_PASSWORD_FILE and RESTIC_PASSWORD_COMMAND count after these.",
            "--password-file"
        ),
        new(
            "FASTBACKUP_NEW_PASSWORD, FASTBACKUP_NEW_PASSWORD_FILE, FASTBACKUP_NEW_PASSWORD_COMMAND",
            "The same for the password that is added.",
            "--new-password-file"
        ),
        new(
            "RESTIC_REST_USERNAME, RESTIC_REST_PASSWORD",
            "Who asks a restic REST server, where its address does not say.",
            "--password-file"
        ),
        new("TMPDIR", "Where demo puts its files without --dir; /tmp when unset.", "--dir"),
        new("TERM", "Unset or dumb: no bar is drawn. Colours are never used, so NO_COLOR changes nothing.", null),
    ];

    public static readonly ManNote[] Files =
    [
        new(
            "TARGET.partial",
            "A copy that is not whole yet. It is renamed to TARGET after the final flush. After an error or a signal "
                + "it stays: --resume goes on with it, --force replaces it.",
            "--resume"
        ),
        new("TARGET.partial.resume", "What --resume needs to know of it.", "--resume"),
        new(
            "DISK.track",
            "The tracker of a disk: what has changed since a point in time. Made by 'fastbackup track add'.",
            "--tracker"
        ),
        new(
            "/dev/shm/fastbackup-*",
            "The live map of a tracker in use; exact after a kill, gone after a boot.",
            "--tracker"
        ),
    ];
}
