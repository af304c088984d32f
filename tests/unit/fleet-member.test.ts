import assert from "node:assert/strict";
import { renderFarewell } from "../../components/fleet/farewell.render.ts";
import { renderMember } from "../../components/fleet/member.render.ts";
import { first, hosts, knows, lost, member, notManager, run, second, state } from "../support/member-script.ts";

describe("a host that joins", () => {
  const alone = { [`*: ${knows}`]: notManager };

  /** Subnets that a host says are free; other scripts for it get no answer. */
  const free = (...pools: string[]) => `[ "$command" != "sh -s" ] || printf '%s\\n' ${pools.join(" ")}`;

  it("makes the swarm when it is the first manager and there is none, in a subnet that is free on all hosts", () => {
    const ran = run(member(first), "join", {
      ...alone,
      [`vm-1: ${state}`]: "echo 'inactive  '",
      "vm-1: sh -s": free("10.201.0.0/16", "10.59.0.0/16", "198.18.0.0/16"),
      "vm-2: sh -s": free("10.117.0.0/16", "10.59.0.0/16", "198.18.0.0/16"),
      "vm-3: sh -s": free("10.201.0.0/16", "10.117.0.0/16", "10.59.0.0/16"),
    });
    assert.equal(ran.code, 0, ran.err);
    assert.match(ran.input, /vm-1< # Managed by berth: swarm of vm-1[^]*docker swarm init/);
    assert.match(ran.calls, /^vm-1: sh -s 10\.59\.0\.0\/16$/m);
  });

  it("makes none in a subnet at which a host reaches something else", () => {
    const ran = run(member(first), "join", {
      ...alone,
      [`vm-1: ${state}`]: "echo 'inactive  '",
      "vm-1: sh -s": free("10.201.0.0/16"),
      "*: sh -s": free("10.117.0.0/16"),
    });
    assert.equal(ran.code, 1);
    assert.match(ran.err, /host vm-1: swarm: the routes of the hosts cover all of 10\.201\.0\.0\/16, /);
    assert.doesNotMatch(ran.input, /docker swarm init/);
  });

  it("makes no second swarm while hosts that may have one do not answer", () => {
    const ran = run(member(first), "join", {
      [`vm-2: ${knows}`]: lost,
      ...alone,
      [`vm-1: ${state}`]: "echo 'inactive  '",
    });
    assert.equal(ran.code, 1);
    assert.match(
      ran.err,
      /host vm-1: swarm: a swarm may be there already, on hosts that do not answer, got vm-2; start/,
    );
    assert.doesNotMatch(ran.input, /docker swarm init/);
  });

  it("is reached through its jump host by the script's own options, also when the stack file no longer has it", () => {
    const jump = { name: "bastion", address: "198.18.0.9", port: 22, user: "jump", hostKey: "ssh-ed25519 BBBB" };
    const ran = run(renderMember({ stack: "test", host: { ...first, jump }, first: true }), "join", {
      ...alone,
      [`vm-1: ${state}`]: "echo 'inactive  '",
      "*: sh -s": free("10.201.0.0/16"),
    });
    assert.equal(ran.code, 0, ran.err);
    const [line = ""] = ran.args.split("\n").filter((one) => / vm-1 docker info /.test(one));
    assert.match(
      line,
      / -o ProxyCommand=ssh -F \.berth\/test\/ssh_config -o 'HostName=198\.18\.0\.9' .*-o 'HostKeyAlias=bastion\.jump' -o UserKnownHostsFile=(\S+)\/known_hosts -o StrictHostKeyChecking=yes -W '\[%h\]:%p' bastion\.jump -o ControlMaster=no -o ControlPath=none vm-1 /,
    );
  });

  it("says what to do about a manager that is locked", () => {
    const ran = run(member(second), "join", { ...alone, [`vm-2: ${state}`]: "echo 'locked  '" });
    assert.equal(ran.code, 1);
    assert.match(ran.err, /host vm-2: swarm: is locked since its restart; run "npm run berth -- unlock test"/);
  });

  it("makes none when it is not the first", () => {
    const ran = run(member(second), "join", { ...alone, [`vm-2: ${state}`]: "echo 'inactive  '" });
    assert.equal(ran.code, 1);
    assert.match(ran.err, /no manager of the swarm answers, so there is nothing to join; start one/);
  });

  const found = {
    [`vm-2: ${state}`]: "echo 'inactive  '",
    "manager.swarm: docker swarm join-token --quiet manager": "echo SWMTKN-1-secret",
    "manager.swarm: docker info": `echo '"10.0.0.1:2377","10.0.0.3:2377",'`,
    "vm-2: curl": "printf ' 200'",
    "vm-2: docker info --format*NodeID": "echo node2",
  };

  it("hands the token from a manager to the host by standard input and shows it nowhere", () => {
    const ran = run(member(second), "join", found);
    assert.equal(ran.code, 0, ran.err);
    assert.ok(
      ran.input.includes(
        'vm-2< {"ListenAddr":"10.0.0.2:2377","AdvertiseAddr":"10.0.0.2",' +
          '"RemoteAddrs":["10.0.0.1:2377","10.0.0.3:2377"],"JoinToken":"SWMTKN-1-secret"}',
      ),
      ran.input,
    );
    assert.doesNotMatch(ran.args + ran.out + ran.err, /SWMTKN/);
    assert.match(ran.out, /changed: manager of the swarm at 10\.0\.0\.2/);
    assert.match(ran.calls, /manager\.swarm: sh -s node2 manager active vm-1 vm-2 vm-3\n$/);
  });

  it("does not ask itself, which the swarm still lists when it was set up anew", () => {
    const ran = run(member(second), "join", {
      ...found,
      "manager.swarm: docker info": `echo '"10.0.0.2:2377","10.0.0.1:2377",'`,
    });
    assert.equal(ran.code, 0, ran.err);
    assert.ok(ran.input.includes('"RemoteAddrs":["10.0.0.1:2377"]'), ran.input);
  });

  it("says what Docker says when it cannot join", () => {
    const ran = run(member(second), "join", { ...found, "vm-2: curl": `printf '{"message":"no route"} 500'` });
    assert.equal(ran.code, 1);
    assert.match(ran.err, /cannot join, got {"message":"no route"} 500; the hosts must reach each other/);
  });

  it("finds a manager that is no longer one in the stack file, to be followed by others", () => {
    const ran = run(member(second), "join", {
      [`manager.swarm: ${knows}`]: notManager,
      [`vm-1: ${knows}`]: notManager,
      [`vm-2: ${state}`]: "echo 'active 10.0.0.2 node2'",
      [`vm-2: ${knows}`]: notManager,
    });
    assert.equal(ran.code, 0, ran.err);
    assert.match(ran.calls, /vm-3: sh -s node2 manager active vm-1 vm-2 vm-3\n$/);
  });

  it("is told what changes when it is in the swarm already", () => {
    const ran = run(member(second), "join", { [`vm-2: ${state}`]: "echo 'active 10.0.0.2 node2'" });
    assert.equal(ran.code, 0, ran.err);
    assert.match(ran.out, /unchanged: in the swarm at 10\.0\.0\.2/);
  });

  it("is refused when it belongs to another swarm, or is known at another address", () => {
    const foreign = run(member(second), "join", {
      [`vm-2: ${state}`]: "echo 'active 10.0.0.2 node9'",
      "manager.swarm: docker node inspect*node9": "exit 1",
    });
    assert.match(foreign.err, /belongs to another swarm; run "docker swarm leave --force"/);
    const moved = run(member(second), "join", { [`vm-2: ${state}`]: "echo 'active 203.0.113.2 node2'" });
    assert.match(moved.err, /know it by another address than its privateAddress, got 203\.0\.113\.2; at a quiet time/);
    assert.deepEqual([foreign.code, moved.code], [1, 1]);
  });

  it("is drained without its help when it is lost", () => {
    const drained = renderMember({ stack: "test", host: { ...second, state: "drain" }, first: false });
    const ran = run(drained, "join", { [`vm-2: ${state}`]: lost, "manager.swarm: docker node ls": "echo node2" });
    assert.equal(ran.code, 0, ran.err);
    assert.match(ran.calls, /manager\.swarm: sh -s node2 manager drain vm-1 vm-2 vm-3\n$/);
  });

  it("is refused when it is lost and nobody knows it", () => {
    const ran = run(member(second), "join", { [`vm-2: ${state}`]: lost });
    assert.equal(ran.code, 1);
    assert.match(ran.err, /cannot be reached, and no manager knows it; start it, or take it out/);
  });
});

describe("a host that leaves", () => {
  const known = { "manager.swarm: docker node ls": "echo node2" };
  const others = [hosts[0]!, hosts[2]!];

  it("stays in the swarm while the stack file has it: the stack is being destroyed", () => {
    const ran = run(member(second), "leave", known);
    assert.equal(ran.code, 0, ran.err);
    assert.equal(ran.calls, "");
  });

  it("is drained, leaves and is removed, by its own pinned key", () => {
    const ran = run(member(second), "leave", known, others);
    assert.equal(ran.code, 0, ran.err);
    const steps = ran.calls.split("\n").slice(-4, -1);
    assert.deepEqual(steps, [
      "manager.swarm: sh -s node2 yes",
      "vm-2: docker swarm leave --force",
      "manager.swarm: docker node rm --force node2",
    ]);
    assert.match(
      ran.args,
      /-o HostName=203\.0\.113\.2 .* -o StrictHostKeyChecking=yes vm-2 docker swarm leave --force/,
    );
  });

  it("is removed without its help when it is lost", () => {
    const ran = run(member(second), "leave", { ...known, "vm-2: true": lost }, others);
    assert.equal(ran.code, 0, ran.err);
    assert.match(ran.calls, /manager\.swarm: sh -s node2 no\nmanager\.swarm: docker node rm --force node2\n$/);
    assert.match(ran.out, /did not answer: should it come back, run "docker swarm leave --force"/);
  });

  it("is not removed when what ran on it does not run elsewhere", () => {
    const ran = run(member(second), "leave", { ...known, "manager.swarm: sh -s": "exit 1" }, others);
    assert.equal(ran.code, 1);
    assert.doesNotMatch(ran.calls, /node rm|swarm leave/);
  });

  it("is not removed while no manager answers", () => {
    const ran = run(member(second), "leave", { [`*: ${knows}`]: lost }, others);
    assert.equal(ran.code, 1);
    assert.match(ran.err, /no manager of the swarm answers, and only one can remove it/);
  });
});

describe("a farewell", () => {
  const script = renderFarewell("test", second, "thing leave");

  it("runs on the host", () => {
    const ran = run(script, "leave", {});
    assert.equal(ran.code, 0, ran.err);
    assert.match(ran.input, /vm-2< set -eu\nthing leave/);
  });

  it("is not said to a host that is lost and no longer in the stack file", () => {
    assert.equal(run(script, "leave", { "vm-2: ": lost }, [first]).code, 0);
    for (const failure of [
      run(script, "leave", { "vm-2: ": lost }),
      run(script, "leave", { "vm-2: ": "exit 1" }, [first]),
    ]) {
      assert.equal(failure.code, 1);
      assert.match(failure.err, /what runs there could not be taken away; start it, or take it out/);
    }
  });
});
