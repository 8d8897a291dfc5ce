// Lines for a monitor, drawn from its own schema: most are commands as they should be, on a few names that come up
// again and again so that they meet; some have one thing wrong in their structure; some are no JSON any more.
using System;
using System.Collections.Generic;
using System.Globalization;
using System.Linq;
using System.Text;

namespace FastBackup.Tests.Hosts.Monitor.Fuzz;

/// <param name="random">Whoever draws in the same order gets the same lines.</param>
/// <param name="schema">Of the monitor.</param>
/// <param name="files">Names for blockdev-add.</param>
sealed class CommandGrammar(Random random, SchemaPicture schema, string[] files)
{
    /// <param name="Bytes">As it is sent; the end of the line is not in it.</param>
    /// <param name="Id">What its one answer must bring back, as JSON; null: nothing is known of its answers.</param>
    public readonly record struct Line(byte[] Bytes, string? Id);

    const int DepthMax = 900; // a message may be 1024 deep
    const int ModestDepth = 6;

    // Without these nothing is there that the others could meet.
    static readonly string[] s_makers = ["blockdev-add", "blockdev-backup", "block-dirty-bitmap-add", "transaction"];
    static readonly string[] s_nodes = ["t0", "t1", "t2", "n0"];
    static readonly string[] s_jobs = ["j0", "j1", "j2", "j3", "vda"];
    static readonly string[] s_bitmaps = ["b0", "b1", "b2"];
    static readonly string[] s_texts =
    [
        "",
        "x",
        "é😀",
        "\u0001",
        "a\"b\\c",
        " ",
        "1",
        "..",
        "-",
        "ﷺ",
        "\ufffd",
        "null",
    ];
    static readonly string[] s_numbers =
    [
        "0",
        "1",
        "2",
        "512",
        "4096",
        "65536",
        "1048576",
        "-1",
        "4294967295",
        "4294967296",
        "9223372036854775807",
        "9223372036854775808",
        "18446744073709551615",
        "18446744073709551616",
        "-9223372036854775809",
        "1.5",
        "-0",
        "1e400",
        "1E-400",
        "123456789012345678901234567890",
    ];

    // Of a disk: none that makes it larger, or it would have no target left of its size.
    static readonly string[] s_sizes =
    [
        "0",
        "512",
        "1048576",
        MonitorScene.DiskBytes.ToString(CultureInfo.InvariantCulture),
        "9223372036854775808",
        "18446744073709551615",
        "-1",
    ];

    readonly string[] _commands =
    [
        .. schema.Names("command").Where(name => name is not ("qmp_capabilities" or "query-qmp-schema")).Order(),
    ];

    int _number;

    public Line Next()
    {
        int kind = random.Next(20);
        string id = Id();
        string line = Command(id, mistakes: kind < 13 ? 0 : 1);
        byte[] bytes = Encoding.UTF8.GetBytes(line);
        return kind < 17 ? new Line(bytes, id) : new Line(Break(bytes), null);
    }

    /// <summary>A line that must be answered; its id is like no other's, with a byte changed or not.</summary>
    public Line Sync()
    {
        string id = string.Create(CultureInfo.InvariantCulture, $"\"sync {++_number}\"");
        return new Line(Encoding.ASCII.GetBytes($"{{\"execute\":\"query-version\",\"id\":{id}}}"), id);
    }

    /// <summary>A new id, as the monitor writes it.</summary>
    string Id()
    {
        string number = (++_number).ToString(CultureInfo.InvariantCulture);
        return random.Next(4) switch
        {
            0 => $"\"{number}\"",
            1 => $"[{number}, {{\"n\": [null, true]}}]",
            _ => number,
        };
    }

    string Command(string id, int mistakes)
    {
        string name = Pick(random.Next(3) == 0 ? s_makers : _commands);
        string arguments = Value(schema.Type(name, "arg-type"), name, 0, ref mistakes);
        if (mistakes > 0 && random.Next(2) == 0)
            (name, mistakes) = (name + Pick(["x", "-", "", "é"]), 0);
        string rest = mistakes > 0 ? $",\"{Pick(["extra", "event", "Execute"])}\":{Anything()}" : "";
        return random.Next(2) == 0
            ? $"{{\"execute\":\"{name}\",\"arguments\":{arguments},\"id\":{id}{rest}}}"
            : $"{{\"id\": {id}, \"execute\": \"{name}\", \"arguments\" : {arguments} {rest}}}";
    }

    /// <summary>A value of a type; with a mistake left it may be made here.</summary>
    string Value(string type, string member, int depth, ref int mistakes)
    {
        if (mistakes > 0 && depth > 0 && member != "size" && random.Next(3) == 0)
        {
            mistakes--;
            return Anything();
        }
        return schema.Kind(type) switch
        {
            "enum" => Quoted(Pick(schema.Words(type))),
            "array" => List(schema.Type(type, "element-type"), member, depth, ref mistakes),
            "alternate" => Value(Pick(schema.Choices(type)), member, depth + 1, ref mistakes),
            "object" => Object(type, depth, ref mistakes),
            _ => Simple(type, member),
        };
    }

    string List(string type, string member, int depth, ref int mistakes)
    {
        List<string> items = [];
        for (int count = random.Next(random.Next(8) == 0 ? 20 : 4); count > 0; count--)
            items.Add(Value(type, member, depth + 1, ref mistakes));
        return $"[{string.Join(',', items)}]";
    }

    string Object(string type, int depth, ref int mistakes)
    {
        if (depth > ModestDepth)
            return "{}";
        string? tag = schema.Tag(type);
        string? ofCase = tag == null ? null : Pick([.. schema.Variants(type).Select(one => one.Case)]);
        List<string> members = [];
        foreach (SchemaPicture.Member member in schema.Members(type, ofCase))
        {
            bool isLeftOut =
                member.IsNeeded ? mistakes > 0 && random.Next(6) == 0
                : member.Name is "node-name" or "job-id" ? random.Next(10) == 0
                : member.Name == "bitmap" ? random.Next(2) == 0
                : random.Next(5) != 0;
            if (isLeftOut && member.IsNeeded)
                mistakes--;
            if (isLeftOut)
                continue;
            string value =
                member.Name == tag ? Quoted(ofCase!) : Value(member.Type, member.Name, depth + 1, ref mistakes);
            members.Add($"{Quoted(member.Name)}:{value}");
        }
        if (mistakes > 0 && random.Next(6) == 0)
        {
            mistakes--;
            members.Add($"\"unknown\":{Anything()}");
        }
        return $"{{{string.Join(',', members)}}}";
    }

    string Simple(string type, string member) =>
        type switch
        {
            "bool" => random.Next(2) == 0 ? "true" : "false",
            "int" when member == "size" => Pick(s_sizes),
            "int" => Pick(s_numbers[..(random.Next(4) == 0 ? s_numbers.Length : 7)]),
            "str" => Quoted(random.Next(30) == 0 ? Pick(s_texts) : Name(member)),
            _ => Anything(),
        };

    string Name(string member) =>
        member switch
        {
            "filename" => Pick(files),
            "id" or "job-id" => Pick(s_jobs),
            "name" or "bitmap" or "bitmaps" => Pick(s_bitmaps),
            "device" => random.Next(3) != 0 ? "vda" : Pick(s_jobs),
            "node" => random.Next(4) != 0 ? "vda" : Pick(s_nodes),
            _ => Pick(s_nodes),
        };

    string Anything() =>
        random.Next(9) switch
        {
            0 => "null",
            1 => "true",
            2 => Pick(s_numbers),
            3 => Quoted(Pick(s_texts)),
            4 => "[]",
            5 => "{}",
            6 => Nested(random.Next(20) == 0 ? DepthMax : 5),
            7 => Quoted(new string('y', random.Next(10) == 0 ? 20_000 : 40)),
            _ => "[1,\"a\",{\"b\":[null]}]",
        };

    static string Nested(int depth) => new string('[', depth) + new string(']', depth);

    /// <summary>A byte changed, left out or put in, a piece doubled, cut off, or noise in its place.</summary>
    byte[] Break(byte[] line)
    {
        int at = random.Next(line.Length);
        byte[] some = new byte[random.Next(1, 40)];
        random.NextBytes(some);
        return random.Next(7) switch
        {
            0 => [.. line[..at], (byte)random.Next(256), .. line[(at + 1)..]],
            1 => [.. line[..at], .. line[(at + 1)..]],
            2 => [.. line[..at], .. some, .. line[at..]],
            3 => [.. line[..at], .. line],
            4 => line[..at],
            5 => [.. line[..at], (byte)"{}[]\",:'\\%\n"[random.Next(11)], .. line[at..]],
            _ => some,
        };
    }

    T Pick<T>(T[] from) => from[random.Next(from.Length)];

    static string Quoted(string text)
    {
        StringBuilder quoted = new("\"");
        foreach (char one in text)
            _ =
                one is '"' or '\\' ? quoted.Append('\\').Append(one)
                : one < ' ' ? quoted.Append("\\u").Append(((int)one).ToString("x4", CultureInfo.InvariantCulture))
                : quoted.Append(one);
        return quoted.Append('"').ToString();
    }
}
