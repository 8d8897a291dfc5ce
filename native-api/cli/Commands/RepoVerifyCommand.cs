// fastbackup repo verify REPO: options only; VerifyRun does the work.
using System.CommandLine;
using System.CommandLine.Parsing;
using System.Globalization;

namespace FastBackup.Cli;

static class RepoVerifyCommand
{
    const int PartsMax = 256; // the first byte of a pack's name says to which it belongs

    public static Command Create(Option<string?> password)
    {
        Argument<string> repository = RepositoryOptions.CreateRepository();
        Option<bool> read = FlagOption.Create("--read-data", "Read all packs, and open every blob.");
        Option<(int, int)?> subset = new("--read-data-subset")
        {
            Description = "Read the Nth of M parts of the packs, so that M runs read all of them.",
            HelpName = "N/M",
            CustomParser = ParseSubset,
        };
        Option<bool> repair = FlagOption.Create(
            "--repair",
            "Take damaged blobs out of the index, so that the next backup stores them anew."
        );
        Option<string?> against = RepositoryOptions.CreatePath("--against", "Compare a point with this disk, by hash.");
        Option<string?> at = RepositoryOptions.CreateAt();
        Option<string?> disk = RepositoryOptions.CreateDisk("Of which disk the point is.");
        Command command = new("verify", "Check that every point can be restored, or is a given disk.")
        {
            repository,
            read,
            subset,
            repair,
            against,
            at,
            disk,
            CommonOptions.IgnoreLocks,
        };
        command.Validators.Add(result =>
        {
            bool isRead = result.GetResult(read) != null || result.GetResult(subset) != null;
            if (result.GetResult(against) != null && (isRead || result.GetResult(repair) != null))
                result.AddError("--against compares one point with a disk: leave the other options out");
            if (result.GetResult(repair) != null && !isRead)
                result.AddError("--repair needs to know what is damaged: give --read-data, too");
            if (result.GetResult(against) == null && result.GetResult(at) != null)
                result.AddError("--at goes with --against: without, all points are checked");
        });
        return RepositoryAction.Complete(
            command,
            repository,
            password,
            (parsed, work) =>
            {
                (int part, int parts) = parsed.GetValue(subset) ?? (parsed.GetValue(read) ? 1 : 0, 1);
                VerifyRequest request = new(
                    part,
                    parts,
                    parsed.GetValue(repair),
                    parsed.GetValue(against),
                    parsed.GetValue(at) ?? PointChoice.Latest,
                    parsed.GetValue(disk),
                    parsed.GetValue(CommonOptions.IgnoreLocks)
                );
                return new VerifyRun(request, work).Execute();
            }
        );
    }

    static (int, int)? ParseSubset(ArgumentResult result)
    {
        string text = result.Tokens.Count == 0 ? "" : result.Tokens[0].Value;
        string[] words = text.Split('/');
        if (words.Length == 2 && TryRead(words[0], out int part) && TryRead(words[1], out int parts))
            if (part >= 1 && part <= parts && parts <= PartsMax)
                return (part, parts);
        result.AddError($"--read-data-subset '{text}' is not N/M with N of 1..M and M of 1..{PartsMax}");
        return null;
    }

    static bool TryRead(string text, out int number) =>
        int.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out number);
}
