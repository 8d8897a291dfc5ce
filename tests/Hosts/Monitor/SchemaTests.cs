// Every word of query-qmp-schema is asked of the monitor: what it names is taken, what it does not name is refused, and
// so is what has another type. And it names nothing that QEMU's calls otherwise.
using System;
using System.Collections.Generic;
using System.Linq;
using System.Text.Json.Nodes;
using Xunit;

namespace FastBackup.Tests.Hosts.Monitor;

public sealed class SchemaTests : IDisposable
{
    const string Unknown = "zzz";

    // Newer than the QEMU that it is compared with.
    static readonly string[] s_newer = ["on-cbw-error", "discard-source", "min-cluster-size"];

    readonly MonitorScene _scene = new();

    public void Dispose() => _scene.Dispose();

    SchemaPicture Schema => new(_scene.Client.Run("query-qmp-schema").AsArray());

    [Fact]
    public void Commands_AreAllThatThereAre()
    {
        IEnumerable<string> names = _scene.Client.Run("query-commands").AsArray().Select(one => (string)one!["name"]!);
        Assert.Equal(names.Order(), Schema.Names("command").Order());
    }

    [Fact]
    public void Arguments_AreTakenAsTheSchemaSays()
    {
        SchemaPicture schema = Schema;
        int count = 0;
        foreach (string command in schema.Names("command").Where(name => name != "qmp_capabilities"))
        foreach (Probe probe in Probes(schema, schema.Type(command, "arg-type")))
        {
            JsonObject said = new() { ["execute"] = command, ["arguments"] = probe.Value };
            string line = said.ToJsonString();
            string answer = (string?)_scene.Client.Ask(line)["error"]?["desc"] ?? "";
            string? complaint = Complaint(answer);
            Assert.True(probe.Complaint == complaint, $"{line}\nis answered: {answer}\nnot: {probe.Complaint}");
            count++;
        }
        Assert.True(count > 500, $"{count} probes");
        _scene.Quit();
    }

    [Fact]
    public void Answers_AndEvents_AreAsTheSchemaSays()
    {
        SchemaPicture schema = Schema;
        _ = _scene.AddTarget("t");
        _ = _scene.Client.Run("block-dirty-bitmap-add", ("node", "vda"), ("name", "b"));
        _scene.StartBackup("t", "slow", 1000);
        foreach (
            string command in schema.Names("command").Where(name => name.StartsWith("query-", StringComparison.Ordinal))
        )
            AssertIs(schema, schema.Type(command, "ret-type"), _scene.Client.Run(command), command);
        _ = _scene.Client.Run("job-cancel", ("id", "slow"));
        _ = _scene.Client.WaitForEvent("BLOCK_JOB_CANCELLED", "slow");
        _scene.StartBackup("t", "fast", 0, ("auto-finalize", false));
        _ = _scene.Client.WaitForEvent("BLOCK_JOB_PENDING", "fast");
        _ = _scene.Client.Run("job-finalize", ("id", "fast"));
        JsonNode end = _scene.Client.WaitForEvent("BLOCK_JOB_COMPLETED", "fast");
        AssertIs(schema, schema.Type("BLOCK_JOB_COMPLETED", "arg-type"), end["data"], "BLOCK_JOB_COMPLETED");
        _scene.Quit();
    }

    [Fact]
    public void Machine_IsOneThatRuns()
    {
        Assert.True((bool)_scene.Client.Run("query-status")["running"]!);
        Assert.Empty(_scene.Client.Run("query-name").AsObject());
        Assert.Empty(_scene.Client.Run("query-block-exports").AsArray());
        JsonNode drive = Assert.Single(_scene.Client.Run("query-block").AsArray())!;
        Assert.Equal("vda", (string?)drive["device"]);
        Assert.Equal("vda", (string?)drive["inserted"]!["node-name"]);
        Assert.Equal(MonitorScene.DiskBytes, (long)drive["inserted"]!["image"]!["virtual-size"]!);
    }

    [Fact]
    public void Schema_IsPartOfQemus()
    {
        using StorageDaemon daemon = new(_scene.Folder["qemu"]);
        using QmpConnection qemu = QmpConnection.To(_scene.Folder["qemu"]);
        SchemaPicture theirs = new(qemu.Run("query-qmp-schema").AsArray());
        SchemaPicture ours = Schema;
        List<string> differences = [];
        int count = 0;
        foreach (string command in ours.Names("command").Where(theirs.Has))
        {
            count++;
            Compare(
                ours,
                ours.Type(command, "arg-type"),
                theirs,
                theirs.Type(command, "arg-type"),
                command,
                differences,
                0
            );
        }
        foreach (string happening in ours.Names("event"))
            Compare(
                ours,
                ours.Type(happening, "arg-type"),
                theirs,
                theirs.Type(happening, "arg-type"),
                happening,
                differences,
                0
            );
        Assert.True(differences.Count == 0, string.Join('\n', differences));
        Assert.True(count > 25, $"{count} commands");
    }

    readonly record struct Probe(JsonNode? Value, string? Complaint);

    /// <summary>What it complains of, without the names; null: not of the arguments' shape.</summary>
    static string? Complaint(string description) =>
        description.StartsWith("Invalid parameter type", StringComparison.Ordinal) ? "type"
        : description.StartsWith("Parameter '", StringComparison.Ordinal) && description.Contains(" expects uint64")
            ? "type"
        : description.EndsWith(" is missing", StringComparison.Ordinal) ? "missing"
        : description.EndsWith(" is unexpected", StringComparison.Ordinal) ? "unexpected"
        : description.Contains(" does not accept value ", StringComparison.Ordinal) ? "word"
        : null;

    /// <summary>Values of a type that must be taken, and those with one thing wrong.</summary>
    static IEnumerable<Probe> Probes(SchemaPicture schema, string type, int depth = 0)
    {
        if (depth > 5)
            yield break;
        switch (schema.Kind(type))
        {
            case "enum":
                foreach (string word in schema.Words(type))
                    yield return new Probe(word, null);
                yield return new Probe(Unknown, "word");
                yield return new Probe(1, "type");
                break;
            case "array":
                foreach (Probe item in Probes(schema, schema.Type(type, "element-type"), depth + 1))
                    yield return item with
                    {
                        Value = new JsonArray(item.Value?.DeepClone()),
                    };
                yield return new Probe(1, "type");
                break;
            case "alternate":
                foreach (Probe choice in schema.Choices(type).SelectMany(one => Probes(schema, one, depth + 1)))
                    if (choice.Value is not JsonValue || choice.Complaint == null)
                        yield return choice;
                yield return new Probe(1, "type");
                break;
            case "object":
                foreach (string? ofCase in schema.Variants(type).Select(one => (string?)one.Case).DefaultIfEmpty(null))
                foreach (Probe probe in ObjectProbes(schema, type, ofCase, depth))
                    yield return probe;
                break;
            default:
                yield return new Probe(schema.Sample(type), null);
                yield return new Probe(new JsonArray(), "type");
                break;
        }
    }

    static IEnumerable<Probe> ObjectProbes(SchemaPicture schema, string type, string? ofCase, int depth)
    {
        JsonObject whole = schema.Sample(type, ofCase)!.AsObject();
        yield return new Probe(whole, null);
        yield return new Probe(With(whole, Unknown, 1), "unexpected");
        if (depth > 0)
            yield return new Probe(1, "type");
        foreach (SchemaPicture.Member member in schema.Members(type, ofCase))
        {
            yield return new Probe(Without(whole, member.Name), member.IsNeeded ? "missing" : null);
            if (member.Name == schema.Tag(type))
                continue; // other words of it have other members
            foreach (Probe inside in Probes(schema, member.Type, depth + 1))
                yield return inside with
                {
                    Value = With(whole, member.Name, inside.Value),
                };
        }
    }

    static JsonObject With(JsonObject whole, string name, JsonNode? value)
    {
        JsonObject changed = whole.DeepClone().AsObject();
        changed[name] = value?.DeepClone();
        return changed;
    }

    static JsonObject Without(JsonObject whole, string name)
    {
        JsonObject changed = whole.DeepClone().AsObject();
        _ = changed.Remove(name);
        return changed;
    }

    /// <summary>A value has the type, all of it is named, and nothing that is needed is missing.</summary>
    static void AssertIs(SchemaPicture schema, string type, JsonNode? value, string place)
    {
        switch (schema.Kind(type))
        {
            case "enum":
                Assert.Contains((string)value!, schema.Words(type));
                break;
            case "array":
                foreach (JsonNode? item in value!.AsArray())
                    AssertIs(schema, schema.Type(type, "element-type"), item, place + "[]");
                break;
            case "object":
                JsonObject members = value!.AsObject();
                string? ofCase = schema.Tag(type) is { } tag ? (string?)members[tag] : null;
                SchemaPicture.Member[] known = [.. schema.Members(type, ofCase)];
                foreach ((string name, JsonNode? inside) in members)
                {
                    SchemaPicture.Member member = known.FirstOrDefault(one => one.Name == name);
                    Assert.True(member.Name != null, $"{place}.{name} is not in the schema");
                    AssertIs(schema, member.Type, inside, $"{place}.{name}");
                }
                foreach (SchemaPicture.Member member in known)
                    Assert.True(
                        !member.IsNeeded || members.ContainsKey(member.Name),
                        $"{place}.{member.Name} is missing"
                    );
                break;
            default:
                break;
        }
    }

    static bool IsOurs(string name) => name.StartsWith("x-", StringComparison.Ordinal);

    static void Compare(
        SchemaPicture ours,
        string ourType,
        SchemaPicture theirs,
        string theirType,
        string place,
        List<string> differences,
        int depth
    )
    {
        if (depth > 6)
            return;
        string kind = ours.Kind(ourType);
        if (kind != theirs.Kind(theirType))
        {
            differences.Add($"{place}: {kind} here, {theirs.Kind(theirType)} there");
            return;
        }
        if (kind == "enum")
            differences.AddRange(
                ours.Words(ourType)
                    .Except(theirs.Words(theirType))
                    .Where(word => !IsOurs(word))
                    .Select(word => $"{place}: {word}")
            );
        if (kind == "array")
            Compare(
                ours,
                ours.Type(ourType, "element-type"),
                theirs,
                theirs.Type(theirType, "element-type"),
                place + "[]",
                differences,
                depth + 1
            );
        if (kind != "object")
            return;
        IEnumerable<string?> cases = ours.Variants(ourType).Select(one => (string?)one.Case).DefaultIfEmpty(null);
        foreach (string? ofCase in cases.Where(one => one == null || !IsOurs(one)))
        {
            SchemaPicture.Member[] known = [.. theirs.Members(theirType, ofCase)];
            foreach (SchemaPicture.Member member in ours.Members(ourType, ofCase))
            {
                if (IsOurs(member.Name) && member.Name != "x-perf")
                    continue;
                SchemaPicture.Member same = known.FirstOrDefault(one => one.Name == member.Name);
                if (same.Name == null && !s_newer.Contains(member.Name))
                    differences.Add($"{place}.{member.Name} is not there");
                else if (same.Name != null && same.IsNeeded != member.IsNeeded)
                    differences.Add($"{place}.{member.Name} is needed in one of the two");
                else if (same.Name != null)
                    Compare(ours, member.Type, theirs, same.Type, $"{place}.{member.Name}", differences, depth + 1);
            }
        }
    }
}
