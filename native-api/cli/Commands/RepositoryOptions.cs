// Arguments and options that commands about repositories share, with their rules.
using System.CommandLine;
using System.Globalization;
using FastBackup.Base;
using FastBackup.Repositories;

namespace FastBackup.Cli;

static class RepositoryOptions
{
    public static Argument<string> CreateRepository()
    {
        Argument<string> argument = new("REPO")
        {
            Description = "Folder, rest:http://HOST:PORT/ of a restic server, or s3:https://HOST/BUCKET/PREFIX.",
        };
        argument.Validators.Add(result =>
        {
            if (result.Tokens.Count == 1 && StoreAddress.Check(result.Tokens[0].Value) is { } wrong)
                result.AddError($"REPO '{result.Tokens[0].Value}' {wrong}");
        });
        return argument;
    }

    /// <summary>The same for backup.</summary>
    public static Option<string?> CreateRepositoryOption()
    {
        Option<string?> option = new("--repo")
        {
            Description = "Instead of TARGET: a point in time in this repository (folder, rest:URL or s3:URL).",
            HelpName = "REPO",
        };
        option.Validators.Add(result =>
        {
            if (result.Tokens.Count == 1 && StoreAddress.Check(result.Tokens[0].Value) is { } wrong)
                result.AddError($"--repo '{result.Tokens[0].Value}' {wrong}");
        });
        return option;
    }

    public static Option<string?> CreatePasswordFile(string name = "--password-file", string whose = "its password") =>
        CreatePath(name, $"File with {whose}, mode 0600; the environment says otherwise.");

    public static Option<string?> CreateDisk(string description)
    {
        Option<string?> option = new("--disk") { Description = description, HelpName = "NAME" };
        option.Validators.Add(result =>
        {
            if (result.Tokens.Count == 1 && result.Tokens[0].Value.Length == 0)
                result.AddError("--disk is empty; give a name");
        });
        return option;
    }

    /// <summary>A name that is made: of a host or disk.</summary>
    public static Option<string?> CreateName(string name, string description)
    {
        Option<string?> option = new(name) { Description = description, HelpName = "NAME" };
        option.Validators.Add(result =>
        {
            if (result.Tokens.Count == 1 && DiskNames.Check(result.Tokens[0].Value) is { } wrong)
                result.AddError($"{name} '{result.Tokens[0].Value}' {wrong}");
        });
        return option;
    }

    public static Option<string?> CreateAt()
    {
        Option<string?> option = new("--at")
        {
            Description = "latest (default), the first digits of a point, or a time: the newest not after it.",
            HelpName = "POINT",
        };
        option.Validators.Add(result =>
        {
            if (result.Tokens.Count == 1 && PointChoice.Check(result.Tokens[0].Value) is { } wrong)
                result.AddError($"--at '{result.Tokens[0].Value}' {wrong}");
        });
        return option;
    }

    public static Option<ulong?> CreateChunk() =>
        SizeOption.Create(
            "--chunk",
            "With --repo: what is stored once, a power of two of 128KiB..8MiB; as the last point's, or 256KiB.",
            CheckChunk
        );

    /// <returns>Null, or what is wrong with it, as the end of a sentence.</returns>
    public static string? CheckChunk(ulong bytes) =>
        bytes is < DiskLayout.ChunkBytesMin or > DiskLayout.ChunkBytesMax || !Units.IsPowerOfTwo(bytes)
            ? "is not a power of two of 128KiB to 8MiB"
            : null;

    /// <returns>Null, or what is wrong with it, as the end of a sentence.</returns>
    public static string? CheckPack(ulong bytes) =>
        bytes is < PointHead.PackBytesMin or > PointHead.PackBytesMax ? "is not within 16MiB to 128MiB" : null;

    public static Option<ulong?> CreatePack() =>
        SizeOption.Create(
            "--pack",
            "With --repo: size of the files in it, 16MiB..128MiB; 64MiB by default.",
            CheckPack
        );

    /// <param name="name">Of the option.</param>
    /// <param name="what">Is priced.</param>
    public static Option<double?> CreatePrice(string name, string what) =>
        new(name)
        {
            Description = what,
            HelpName = "PRICE",
            CustomParser = result =>
            {
                string text = result.Tokens.Count == 0 ? "" : result.Tokens[0].Value;
                const NumberStyles form = NumberStyles.AllowDecimalPoint;
                if (double.TryParse(text, form, CultureInfo.InvariantCulture, out double price))
                    return price;
                result.AddError($"{name} '{text}' is no price; give a number such as 0.005");
                return null;
            },
        };

    public static Option<int?> CreateKeep(string name, string what)
    {
        Option<int?> option = new(name)
        {
            Description = what,
            HelpName = "N",
            CustomParser = result =>
            {
                string text = result.Tokens.Count == 0 ? "" : result.Tokens[0].Value;
                if (int.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out int count) && count > 0)
                    return count;
                result.AddError($"{name} '{text}' is no number above zero");
                return null;
            },
        };
        return option;
    }

    public static Option<string?> CreatePath(string name, string description)
    {
        Option<string?> option = new(name) { Description = description, HelpName = "FILE" };
        option.Validators.Add(result =>
        {
            if (result.Tokens.Count == 1 && PathName.Check(result.Tokens[0].Value) is { } wrong)
                result.AddError($"{name} {wrong}");
        });
        return option;
    }
}
